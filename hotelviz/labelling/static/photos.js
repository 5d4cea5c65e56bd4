// Photos that are on their way or here: the one that is shown, those that come next, the last ones.

const AHEAD = 3;

class Photos {
  constructor(say, arrived) {
    this.say = say; // hands a message to the store's side
    this.arrived = arrived; // is called with the position of a photo that can be shown
    this.kept = new Map(); // position -> {image, url, error, truncated, ready}
    this.asked = new Set();
  }

  /** What is to be shown at a position, or undefined while it is on its way. */
  ready(position) {
    const photo = this.kept.get(position);
    return photo && photo.ready ? photo : undefined;
  }

  keep({ position, error, truncated }, buffers) {
    this.asked.delete(position);
    const photo = { error, truncated };
    if (!error) {
      photo.url = URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" }));
      photo.image = new Image();
      photo.image.src = photo.url;
    }
    this.kept.set(position, photo);
    // Decoded ahead, a photo is there in the very frame in which it is put on the page.
    const decoded = photo.image ? photo.image.decode() : Promise.resolve();
    const failed = () => {
      photo.error = "cannot be shown: this browser does not decode it";
    };
    decoded.catch(failed).then(() => {
      photo.ready = true;
      this.arrived(position);
    });
  }

  /** Ask for the photo at a position and the next ones, and forget all but those and the last ones. */
  preload(position, next, last) {
    const wanted = [position, ...next.slice(0, AHEAD)];
    const missing = wanted.filter((one) => !this.kept.has(one) && !this.asked.has(one));
    for (const one of missing) this.asked.add(one);
    // One message each: an answer to a rating need not wait for all of them.
    for (const one of missing) this.say({ type: "photos", positions: [one] });
    const kept = new Set([...wanted, ...last.slice(-2)]);
    for (const one of [...this.kept.keys()]) if (!kept.has(one)) this.forget(one);
  }

  forget(position) {
    const { url } = this.kept.get(position);
    if (url) URL.revokeObjectURL(url);
    this.kept.delete(position);
  }

  close() {
    for (const position of [...this.kept.keys()]) this.forget(position);
  }
}
