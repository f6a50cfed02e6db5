// Says so when the page's server is gone, because what is shown is then old.
const lost = document.getElementById("lost");
document.body.addEventListener("htmx:sendError", () => { lost.hidden = false; });
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr.status) { lost.hidden = true; }
});
