// On a busy machine the kernel's answer may come too late for Voilà, which then shows an error in
// the app's place and leaves it at that. Nobody has rated anything yet: the page is loaded again.
(() => {
  const KEPT = "hotelviz-asked-again";
  const TRIES = 5;

  function look() {
    const app = document.querySelector(".hotelviz-label");
    const cells = document.getElementById("rendered_cells");
    if (app) {
      sessionStorage.removeItem(KEPT);
    } else if (cells?.textContent.includes("Error displaying widget")) {
      askAgain(cells);
    } else {
      setTimeout(look, 200);
    }
  }

  function askAgain(cells) {
    const tries = Number(sessionStorage.getItem(KEPT)) + 1;
    const said = document.getElementById("again");
    cells.remove();
    document.getElementById("loading")?.remove();
    said.hidden = false;
    if (tries > TRIES) {
      sessionStorage.removeItem(KEPT);
      said.textContent = "The photos could not be prepared. Reload this page in a minute; " +
        "if that does not help, tell whoever sent you the link.";
      return;
    }
    sessionStorage.setItem(KEPT, tries);
    said.textContent = "The server is busy. The photos are asked for again…";
    setTimeout(() => location.reload(), 1000 * tries);
  }

  look();
})();
