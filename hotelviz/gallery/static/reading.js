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
    let current = null;
    const { scrollTop, scrollHeight, clientHeight } = document.documentElement;
    const ended = scrollTop > 0 && scrollTop + clientHeight > scrollHeight - 4;
    for (const heading of links.keys()) {
      if (ended || heading.getBoundingClientRect().top < innerHeight / 3) current = links.get(heading);
    }
    if (current === marked) return;
    marked?.removeAttribute("aria-current");
    current?.setAttribute("aria-current", "location");
    marked = current;
    showLink(contents, current);
  };
  document.addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
  mark();
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
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth;
      const own = { tabindex: "0", role: "region", "aria-label": target.dataset.name };
      for (const [name, value] of Object.entries(own)) {
        if (scrolls) target.setAttribute(name, value);
        else target.removeAttribute(name);
      }
    }
  });
  for (const element of document.querySelectorAll(".scroll[data-name]")) sizes.observe(element);
}
