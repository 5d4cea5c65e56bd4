// What the networks and people say of a photo, drawn.

/** Distributions, over the scores mostly, as small bars, side by side. */
function scoreBars({ distributions, bars }, row) {
  const sides = distributions
    .map((one) => ({ ...one, shares: one.shares.subarray(10 * row, 10 * row + 10) }))
    .filter(({ shares }) => !Number.isNaN(shares[0]));
  if (!sides.length) return [];
  const percents = (shares) => Array.from(shares, (share) => `${Math.round(100 * share)}%`);
  const read = sides.map(({ name, shares }) => `${name} ${percents(shares).join(", ")}`).join("; ");
  const svg = make("svg", {
    class: "scores", viewBox: "0 0 100 29", preserveAspectRatio: "xMinYMid", role: "img",
    "aria-label": `${bars}: ${read}`,
  });
  const tallest = Math.max(...sides.flatMap(({ shares }) => [...shares])) || 1;
  const width = 8 / sides.length;
  sides.forEach(({ tone, shares }, side) =>
    shares.forEach((share, score) => {
      const height = (26 * share) / tallest;
      const x = score * 10 + 1 + side * width;
      svg.append(make("rect", { class: tone, x, y: 28 - height, width, height }));
    }),
  );
  svg.append(make("line", { x1: 0, y1: 28.5, x2: 100, y2: 28.5 }));
  return [svg];
}

/** The most probable classes of a photo. */
function probabilityTable(table, row) {
  if (!table.shares) return [];
  const many = table.classes.length;
  const shares = table.shares.subarray(row * many, (row + 1) * many);
  if (Number.isNaN(shares[0])) return [];
  const best = table.classes.map((name, i) => [name, shares[i]]).sort((a, b) => b[1] - a[1]);
  const lines = best.slice(0, 8).map(([name, share]) => {
    const line = make("span", { class: "line" });
    line.style.width = `${(100 * share).toFixed(1)}%`;
    return make(
      "tr", { class: name === table.text("label", row) ? "truth" : "" },
      make("th", { scope: "row" }, words(name)),
      make("td", {}, line),
      make("td", {}, share.toFixed(2)),
    );
  });
  const caption = make("caption", {}, "Probabilities");
  return [make("table", { class: "shares" }, caption, make("tbody", {}, ...lines))];
}
