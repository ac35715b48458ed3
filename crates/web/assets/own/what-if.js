// The counts of a what-if, written into the page as they grow. The server sends a sentence and tables as HTML it has escaped itself; the
// text that is counted is the one in the form, sent with the form's token. Leaving the page ends the counting.
(() => {
  const box = document.querySelector("[data-what-if]");
  const form = document.getElementById("text")?.form;
  if (!box || !form) return;
  const [lead, status, tables, bar] = ["[data-lead]", "[data-status]", "[data-tables]", "progress"].map((part) => box.querySelector(part));
  const leaving = new AbortController();
  addEventListener("pagehide", () => leaving.abort());
  // Whoever listens hears the first counts, then one every few seconds, and the end: more would only interrupt.
  const SAY_EVERY = 5000;
  let said = -Infinity;
  const say = (sentence, now) => {
    if (!now && performance.now() - said < SAY_EVERY) return;
    said = performance.now();
    status.textContent = sentence;
  };
  const end = (sentence) => {
    bar?.remove();
    lead.textContent = sentence;
    say(sentence, true);
  };
  const take = (name, data) => {
    if (name === "problem") return end(data.lead);
    tables.innerHTML = data.html;
    lead.textContent = data.lead;
    if (name === "result") end(data.lead);
    else say(data.lead, false);
  };
  // Server-sent events are blocks of "event:" and "data:" lines with an empty line after each.
  const read = async () => {
    const fields = new FormData(form);
    fields.delete("do");
    const answer = await fetch(box.dataset.whatIf, { method: "POST", body: new URLSearchParams(fields), signal: leaving.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let ended = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n");
        const of = (field) => lines.filter((line) => line.startsWith(`${field}: `)).map((line) => line.slice(field.length + 2)).join("\n");
        if (!of("event")) continue;
        take(of("event"), JSON.parse(of("data")));
        ended ||= of("event") !== "progress";
      }
    }
    if (!ended) throw new Error("cut short");
  };
  box.querySelector("h2").focus();
  read().catch(() => {
    if (!leaving.signal.aborted) end("The counting was cut short. Press “Show who would change” to count again.");
  });
})();
