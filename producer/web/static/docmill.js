// Says so when the page's server is gone, because what is shown is then old.
const lost = document.getElementById("lost");
document.body.addEventListener("htmx:sendError", () => { lost.hidden = false; });
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr.status) { lost.hidden = true; }
});

// Keys of the review: each button, and the field, says its own (data-key). A form is sent once.
let sent = false;
window.addEventListener("pageshow", () => { sent = false; });
document.addEventListener("submit", () => { sent = true; });
document.addEventListener("keydown", (event) => {
  if (sent || event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) { return; }
  const here = event.target;
  if (here.matches("textarea, input, select")) {
    if (event.key === "Escape") { here.blur(); }
    if (event.key === "Enter" && !event.shiftKey && here.matches("textarea[data-key]")) {
      event.preventDefault();
      here.form.requestSubmit(here.form.querySelector("button"));
    }
    return;
  }
  const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!wanted) { return; }
  event.preventDefault();
  if (wanted.matches("textarea")) { wanted.focus(); wanted.select(); } else { wanted.click(); }
});
