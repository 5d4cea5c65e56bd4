// The photo gallery, in a page or in a cell's output; the last of its files, which starts it.

/** Draw a gallery into an element; without a model it is a page's. Return what takes it away. */
function mount(root, content, model) {
  const gallery = makeState(root, content, model);
  buildFrame(gallery);
  buildLargeView(gallery);
  buildHelp(gallery);
  buildActs(gallery);
  buildCompare(gallery);
  if (gallery.live) buildSaving(gallery);
  const stopMap = buildMap(gallery);
  const update = () => {
    showProgress(gallery);
    refresh(gallery);
  };
  gallery.events.addEventListener("shown", () => showProgress(gallery));
  root.addEventListener("keydown", (event) => onKey(gallery, event));
  // Space selects; released, it would open the photo in Firefox.
  root.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest("figure")) event.preventDefault();
  });
  gallery.decisions.listeners.add(update);
  const stops = [watchTheme(root), watchSize(gallery), watchSelection(gallery)];
  watchScrolling(gallery);
  const groups = groupColumn(gallery)?.values ?? [];
  for (const name of groups.slice(gallery.table.open_groups)) gallery.closed.add(name);
  choose(gallery);
  return () => {
    for (const stop of stops) stop();
    gallery.decisions.listeners.delete(update);
    stopMap();
    gallery.source.close();
  };
}

/** Follow JupyterLab's theme where there is one, the system's elsewhere. */
function watchTheme(root) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const update = () => {
    const light = document.body.dataset.jpThemeLight;
    root.dataset.theme = (light ? light === "false" : dark.matches) ? "dark" : "light";
  };
  update();
  dark.addEventListener("change", update);
  const themes = new MutationObserver(update);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  return () => {
    themes.disconnect();
    dark.removeEventListener("change", update);
  };
}

function watchSize(gallery) {
  const { root, view, fold, cards } = gallery;
  if (root.clientWidth && root.clientWidth < 700) fold.open = false;
  let width = 0;
  const sizes = new ResizeObserver(() => {
    if (view.clientWidth === width) {
      // Only higher: there is room for more lines.
      draw(gallery);
      return;
    }
    width = view.clientWidth;
    layOut(gallery);
    // A photo that was in view stays in view.
    if (cards.size && view.contains(document.activeElement)) focusCard(gallery);
  });
  sizes.observe(view);
  return () => sizes.disconnect();
}

/** Draw once a frame while the photos are scrolled. */
function watchScrolling(gallery) {
  let frame = 0;
  const update = () => {
    frame = 0;
    draw(gallery);
  };
  const onScroll = () => (frame ||= requestAnimationFrame(update));
  gallery.view.addEventListener("scroll", onScroll, { passive: true });
}

function render({ model, el }) {
  const root = make("section");
  el.append(root);
  return mount(root, model.get("content"), model);
}

// A page on disk: each gallery's content stands beside its element.
for (const root of document.querySelectorAll("section[data-hotelviz-gallery]")) {
  const script = root.querySelector('script[type="application/json"]');
  delete root.dataset.hotelvizGallery;
  mount(root, JSON.parse(script.textContent), null);
}
followReader();
reachScrolled();

export default { render };
