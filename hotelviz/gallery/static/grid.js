// The photos in lines of cards, under headings of groups. Of many photos only what is in view is drawn;
// few are drawn whole: the gallery grows with them, and is printed with all of them.

const GAP = 12;
const HEADING = 38;
const SMALL = 120; // photos, at most, with which a gallery grows

/** Lay out lines of cards and headings of groups for the width that there is. */
function layOut(gallery) {
  const { order, view, root } = gallery;
  gallery.small = order.length <= SMALL;
  view.classList.toggle("small", gallery.small);
  root.classList.toggle("scrolls", !gallery.small);
  sizeCards(gallery);
  const { columns, cardHeight, closed } = gallery;
  gallery.lines = [];
  gallery.folded = [];
  let top = 2;
  gallery.sections = sectionsOf(gallery);
  for (const section of gallery.sections) {
    if (section.name !== null) {
      gallery.lines.push({ top, height: HEADING, heading: section });
      top += HEADING + 6;
    }
    const { start, end: last } = section;
    if (closed.has(section.name)) {
      gallery.folded.push({ top, first: start, end: last, folded: true });
      continue;
    }
    for (let first = start; first < last; first += columns) {
      const end = Math.min(last, first + columns);
      gallery.lines.push({ top, height: cardHeight, first, end });
      top += cardHeight + GAP;
    }
  }
  gallery.space.style.height = `${top}px`;
  for (const node of gallery.cards.values()) node.remove();
  gallery.cards.clear();
  draw(gallery);
}

function sizeCards(gallery) {
  const { root, view, table } = gallery;
  const width = view.clientWidth || root.clientWidth || 800;
  const least = width < 420 ? 140 : width > 1800 ? 230 : 190;
  gallery.columns = Math.max(1, Math.floor((width - 4 + GAP) / (least + GAP)));
  const cardWidth = Math.floor((width - 4 - GAP * (gallery.columns - 1)) / gallery.columns);
  const photoHeight = Math.round(cardWidth * 0.75);
  const captionLines = captionLinesOf(gallery, cardWidth);
  const captionHeight = 12 + 18 * captionLines + (table.distributions.length ? 34 : 0);
  gallery.cardHeight = photoHeight + captionHeight;
  const sizes = {
    "--caption-lines": captionLines,
    "--card-width": `${cardWidth}px`,
    "--photo-height": `${photoHeight}px`,
    "--card-height": `${gallery.cardHeight}px`,
  };
  for (const [name, value] of Object.entries(sizes)) root.style.setProperty(name, value);
}

/** As many lines as the longest caption needs; live, captions come later. */
function captionLinesOf(gallery, cardWidth) {
  const { captions } = gallery.table;
  if (!captions) return 3;
  gallery.longest ??= captions.reduce((most, text) => Math.max(most, text.length), 0);
  const fitting = 0.85 * ((cardWidth - 16) / 6.6);
  return Math.max(2, Math.min(7, Math.ceil(gallery.longest / fitting)));
}

/** The column whose values are headings, unless the photos are sorted by another. */
function groupColumn({ sort, table, extras }) {
  return sort || extras.has("alike") ? null : table.group && table.byName.get(table.group);
}

/** Bring the photos of each group together, in the order of the groups' first photos. */
function sectionsOf(gallery) {
  const { order } = gallery;
  const column = groupColumn(gallery);
  if (!column) return [{ name: null, start: 0, end: order.length }];
  const byGroup = new Map();
  for (const row of order) {
    const code = column.codes[row];
    if (!byGroup.has(code)) byGroup.set(code, []);
    byGroup.get(code).push(row);
  }
  let end = 0;
  return Array.from(byGroup, ([code, rows]) => {
    const start = end;
    order.set(rows, start);
    end += rows.length;
    return { name: code < 0 ? "" : column.values[code], start, end };
  });
}

/** The group of a place in the order. */
function sectionAt({ sections }, place) {
  return sections.find(({ start, end }) => start <= place && place < end);
}

/** The first line that ends below an offset. */
function lineAt(lines, offset) {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].top + lines[middle].height < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lines in view and a few around them; all lines of a small gallery. */
function linesToDraw({ small, lines, folded, view, cardHeight }) {
  if (small) return [...lines, ...folded];
  const bottom = view.scrollTop + view.clientHeight + cardHeight;
  const first = lineAt(lines, view.scrollTop - cardHeight);
  let end = first;
  while (lines[end]?.top < bottom) end += 1;
  return lines.slice(first, end);
}

/** Draw what is to be drawn; take away the rest. */
function draw(gallery) {
  const { order, cards, space } = gallery;
  const wanted = new Map();
  const rows = [];
  for (const line of linesToDraw(gallery)) {
    if (line.heading) wanted.set(`h${line.heading.name}`, () => headingOf(gallery, line));
    for (let place = line.first; place < line.end; place += 1) {
      rows.push(order[place]);
      wanted.set(place, () => cardOf(gallery, place, line));
    }
  }
  for (const [key, node] of cards) {
    if (wanted.has(key) || node.contains(document.activeElement)) continue;
    node.remove();
    cards.delete(key);
  }
  for (const [key, build] of wanted) {
    if (cards.has(key)) continue;
    const node = build();
    cards.set(key, node);
    standIn(space, node);
  }
  gallery.inView = rows;
  wantPhotos(gallery);
  refresh(gallery);
}

/** Put a card or heading where it is read: for the keyboard, and in print, where cards follow one another. */
function standIn(space, node) {
  const { lastChild } = space;
  const next = lastChild?.rank > node.rank
    ? Array.prototype.find.call(space.children, ({ rank }) => rank > node.rank)
    : null;
  space.insertBefore(node, next);
}

/** Ask for the photos in view, of the grid and of the map. */
function wantPhotos({ source, inView, mapRows }) {
  source.want([...inView, ...mapRows]);
}

function headingOf(gallery, { top, heading: { name, start, end } }) {
  const closed = gallery.closed.has(name);
  const fold = () => {
    if (!gallery.closed.delete(name)) gallery.closed.add(name);
    layOut(gallery);
    gallery.cards.get(`h${name}`)?.firstChild.focus();
  };
  const title = words(name) || "without";
  const choose = () => select(gallery, gallery.order.subarray(start, end));
  const many = number(end - start);
  // "the first 12 of 17" says how many there are.
  const said = title.split(/[^\d,]+/).includes(many);
  const node = make("div", { class: "heading" },
    button(
      { "aria-expanded": String(!closed), onclick: fold },
      make("span", { class: "arrow", "aria-hidden": "true" }, closed ? "▸" : "▾"),
      ` ${title} `,
      make("span", { class: "number" }, said ? "" : many),
    ),
    button({ class: "whole", "aria-label": `Select all of ${title}`, onclick: choose }, "select all"),
  );
  node.style.transform = `translateY(${top}px)`;
  node.rank = 2 * start;
  return node;
}

function cardOf(gallery, place, line) {
  const row = gallery.order[place];
  const photo = button({
    class: "photo", tabindex: place === gallery.cursor ? "0" : "-1",
    onclick: (event) => press(gallery, place, event),
    onfocus: () => moveTo(gallery, place, false),
  });
  const text = make("span", { class: "text" });
  const caption = make("figcaption", {}, text, ...scoreBars(gallery.table, row));
  const badge = make("span", { class: "badge" });
  const about = { "data-row": row, hidden: Boolean(line.folded) };
  const node = make("figure", about, photo, badge, caption);
  const left = `calc(${place - line.first} * (var(--card-width) + ${GAP}px) + 2px)`;
  node.style.transform = `translate(${left}, ${line.top}px)`;
  node.rank = 2 * place + 1;
  node.row = row;
  return node;
}

/** Bring what is drawn up to date: photos, overlays, captions, decisions. */
function refresh(gallery) {
  const { decisions, status, large } = gallery;
  refreshCards(gallery);
  const { text, bad } = decisions.status();
  status.textContent = text;
  status.classList.toggle("bad", bad);
  if (large.dialog.open) describe(gallery);
  describePanes(gallery);
}

function refreshCards(gallery) {
  for (const [key, node] of gallery.cards) {
    if (node.row !== undefined) refreshCard(gallery, node, key === gallery.cursor);
  }
}

function refreshCard(gallery, node, current) {
  const { row } = node;
  const photo = gallery.source.photo(row);
  const caption = captionOf(gallery, row);
  const [holder, badge] = node.children;
  const text = node.querySelector(".text");
  if (text.textContent !== caption) text.textContent = text.title = caption;
  const decision = gallery.decisions.of(gallery.table.ids[row]);
  const decided = decision ? badgeOf(decision) : "";
  const chosen = gallery.selected.has(row) ? "selected" : "";
  const said = [caption, photo?.error, decided, chosen];
  holder.setAttribute("aria-label", said.filter(Boolean).join("; "));
  badge.textContent = decided;
  badge.className = `badge ${decision ? decision.action : ""}`;
  node.classList.toggle("cursor", current);
  node.classList.toggle("selected", Boolean(chosen));
  if (photo && !node.filled) {
    node.filled = true;
    const { error, url } = photo;
    if (error !== undefined) {
      holder.append(make("span", { class: "error", title: error }, error));
    } else holder.append(make("img", { src: url, alt: caption, decoding: "async" }));
  }
  showMap(gallery, holder, row, photo);
}

function badgeOf({ action, label }) {
  return action === "relabel" ? `→ ${words(label)}` : ACTIONS[action] ?? action;
}
