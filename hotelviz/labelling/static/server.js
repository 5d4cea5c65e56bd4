// Whether the server is still there: the page says within seconds where it is not, also while
// nothing waits to be sent.

const LOOK_EVERY = 1000;

/** Return where this page's kernel answers; undefined in JupyterLab, which tells by itself. */
function kernelAddress() {
  const config = document.querySelector("#jupyter-config-data");
  if (document.body.dataset.voila === undefined || !config) return undefined;
  const { baseUrl, kernelId } = JSON.parse(config.textContent);
  return kernelId && `${baseUrl}api/kernels/${kernelId}`;
}

class Server {
  constructor(told) {
    this.told = told; // is told when the state changes: "", "gone", or "ended" for this page alone
    this.state = "";
    this.address = kernelAddress();
    if (this.address) this.look();
  }

  async look() {
    let state = "";
    try {
      const answer = await fetch(this.address, { cache: "no-store" });
      if (!answer.ok) state = "ended";
    } catch (error) {
      state = "gone";
    }
    if (this.closed) return;
    if (state !== this.state) {
      this.state = state;
      this.told();
    }
    this.timer = setTimeout(() => this.look(), LOOK_EVERY);
  }

  /** Say it in a sentence, with what becomes of the ratings that are not saved yet. */
  sentence(waiting) {
    if (!this.state) return "";
    const what = waiting === 1 ? "The last rating is" : `The last ${waiting} ratings are`;
    const kept = waiting ? ` ${what} kept in this browser until then.` : "";
    if (this.state === "gone") {
      return `The server is gone. This page goes on by itself as soon as it is back.${kept}`;
    }
    return `The server has forgotten this page: open your link again, or the new one.${kept}`;
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}
