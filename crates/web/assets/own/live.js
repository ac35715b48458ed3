// Live progress of one run: the server sends the run's figures, this writes them into the page. When the run reaches a state in
// which a person has something to do, or its end, the page is loaded anew.
(() => {
  const box = document.querySelector("[data-run-events]");
  if (!box) return;
  const before = box.dataset.runState;
  const source = new EventSource(box.dataset.runEvents);
  source.addEventListener("progress", (event) => {
    const run = JSON.parse(event.data);
    for (const cell of box.querySelectorAll("[data-count]")) {
      const value = run.counts?.[cell.dataset.count];
      if (value !== undefined) cell.textContent = value.toLocaleString();
    }
    const stage = box.querySelector("[data-stage]");
    if (stage && run.sentence) stage.textContent = run.sentence;
    const bar = box.querySelector("progress");
    if (bar) {
      if (run.total > 0) {
        bar.max = run.total;
        bar.value = run.done;
      } else {
        bar.removeAttribute("value");
      }
    }
    if (run.over || (run.waits && run.state !== before)) {
      source.close();
      location.reload();
    }
  });
  addEventListener("pagehide", () => source.close());
})();
