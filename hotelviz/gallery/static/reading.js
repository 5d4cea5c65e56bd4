// A page around galleries: its contents follow the reader, and what scrolls sideways has the keys.

/** Mark the section that is being read in the contents. */
function followReader() {
  const contents = document.querySelector(".contents");
  const links = new Map();
  for (const link of contents?.querySelectorAll("a[href^='#']") ?? []) {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) links.set(heading, link);
  }
  if (!links.size) return;
  let marked = null;
  const mark = () => {
    const current = links.get(readHeading([...links.keys()]));
    if (current === marked) return;
    marked?.removeAttribute("aria-current");
    current?.setAttribute("aria-current", "location");
    marked = current;
    showLink(contents, current);
  };
  document.addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
  addEventListener("hashchange", mark);
  mark();
}

/** Return the last heading in the upper third of the window; where the page ends, the last at all. */
function readHeading(headings) {
  const { scrollTop, scrollHeight, clientHeight } = document.documentElement;
  const top = (heading) => heading.getBoundingClientRect().top;
  if (scrollTop > 0 && scrollTop + clientHeight > scrollHeight - 4) {
    // A section that was asked for and cannot come higher is read.
    const asked = headings.find((heading) => heading.id === decodeURIComponent(location.hash.slice(1)));
    return asked && top(asked) >= 0 ? asked : headings.at(-1);
  }
  return headings.findLast((heading) => top(heading) < innerHeight / 3);
}

/** Bring a link of the contents into view, without moving the page. */
function showLink(contents, link) {
  if (!link) return;
  const [outer, inner] = [contents.getBoundingClientRect(), link.getBoundingClientRect()];
  const across = inner.left < outer.left || inner.right > outer.right;
  const down = inner.top < outer.top || inner.bottom > outer.bottom;
  if (across) contents.scrollLeft += inner.left - outer.left - 14;
  if (down) contents.scrollTop += inner.top - outer.top - outer.height / 3;
}

/** Give what scrolls sideways a stop for the keyboard and a name; what fits needs neither. */
function reachScrolled() {
  const update = ({ target }) => {
    const more = target.scrollWidth - target.clientWidth;
    const own = { tabindex: "0", role: "region", "aria-label": target.dataset.name };
    for (const [name, value] of Object.entries(own)) {
      if (more > 0) target.setAttribute(name, value);
      else target.removeAttribute(name);
    }
    // Its edge fades while there is more beyond it.
    target.toggleAttribute("data-more", more - target.scrollLeft > 4);
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(update));
  for (const element of document.querySelectorAll(".scroll[data-name]")) {
    sizes.observe(element);
    element.addEventListener("scroll", update, { passive: true });
  }
}
