// Small helps on top of pages that work without them.
(() => {
  // Times are rendered as UTC; show them in the reader's own zone, and say how long ago where the page asks.
  const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const steps = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];
  const ago = (then) => {
    const seconds = (then - Date.now()) / 1000;
    const [, unit, size] = steps.find(([limit]) => Math.abs(seconds) < limit);
    return relative.format(Math.round(seconds / size), unit);
  };
  const times = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const then = new Date(time.dateTime);
      if (Number.isNaN(then.valueOf())) continue;
      time.title = absolute.format(then);
      time.textContent = time.hasAttribute("data-ago") ? ago(then) : absolute.format(then);
    }
  };

  // Buttons of a form that was sent wait for the answer: a second click must not start a second run.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    setTimeout(() => {
      for (const button of event.target.querySelectorAll("button:not([type=button])")) {
        button.disabled = true;
        button.setAttribute("aria-busy", "true");
      }
    });
  });
  // Back and forward show the page as it was left: give the buttons back.
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[aria-busy]")) {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });

  // "/" goes to the search field, as people know it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  document.addEventListener("DOMContentLoaded", () => times(document));
  document.addEventListener("htmx:afterSettle", (event) => times(event.target));
})();
