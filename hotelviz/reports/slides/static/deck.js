// One slide at a time: keys, clicks and swipes turn them; the address says which is shown.

const slides = [...document.querySelectorAll(".slide")];
const nav = document.querySelector("nav");
const [previous, next] = nav.querySelectorAll("button");
let current = 0;

function show(number, focused = true) {
  current = Math.min(Math.max(number, 0), slides.length - 1);
  slides.forEach((slide, place) => { slide.hidden = place !== current; });
  previous.disabled = current === 0;
  next.disabled = current === slides.length - 1;
  history.replaceState(null, "", `#${current + 1}`);
  // Who does not see the slide hears its title; who is at a button stays there.
  const kept = nav.contains(document.activeElement) && !document.activeElement.disabled;
  if (focused && !kept) slides[current].querySelector("h1, h2").focus({ preventScroll: true });
}

function fromAddress() {
  show((Number.parseInt(location.hash.slice(1), 10) || 1) - 1, false);
}

const KEYS = {
  ArrowRight: () => current + 1, ArrowDown: () => current + 1, PageDown: () => current + 1,
  ArrowLeft: () => current - 1, ArrowUp: () => current - 1, PageUp: () => current - 1,
  Home: () => 0, End: () => slides.length - 1,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "f" && document.fullscreenEnabled) {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen();
    return;
  }
  const space = event.key === " " && !event.target.closest("a, button");
  const turn = space ? () => current + (event.shiftKey ? -1 : 1) : KEYS[event.key];
  if (!turn) return;
  event.preventDefault();
  show(turn());
});

document.addEventListener("click", (event) => {
  if (event.target.closest("a, button") || String(getSelection())) return;
  show(event.clientX < window.innerWidth / 3 ? current - 1 : current + 1);
});
previous.addEventListener("click", () => show(current - 1));
next.addEventListener("click", () => show(current + 1));

let searching = 0;
document.addEventListener("pointermove", () => {
  document.body.classList.add("searching");
  clearTimeout(searching);
  searching = setTimeout(() => document.body.classList.remove("searching"), 2000);
});

let touched = null;
document.addEventListener("touchstart", ({ touches }) => {
  touched = touches.length === 1 ? touches[0] : null;
}, { passive: true });
document.addEventListener("touchend", ({ changedTouches: [ended] }) => {
  if (!touched) return;
  const [right, down] = [ended.clientX - touched.clientX, ended.clientY - touched.clientY];
  touched = null;
  if (Math.abs(right) > 50 && Math.abs(right) > Math.abs(down)) show(current - Math.sign(right));
}, { passive: true });

addEventListener("hashchange", fromAddress);
nav.hidden = false;
fromAddress();
