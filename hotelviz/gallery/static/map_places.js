// Where photos lie on the map, 0 to 1: found by cells, so that not all are looked at each time.

/** Sort the photos that have a place into the cells of a grid. */
function indexPlaces({ positions, size }) {
  const [x, y] = [new Float32Array(size), new Float32Array(size)];
  const side = Math.max(1, Math.min(256, Math.round(Math.sqrt(size / 4))));
  const starts = new Int32Array(side * side + 1);
  let many = 0;
  for (let row = 0; row < size; row += 1) {
    x[row] = positions[2 * row];
    y[row] = positions[2 * row + 1];
    if (Number.isNaN(x[row])) continue;
    many += 1;
    starts[cellAt(side, x[row], y[row]) + 1] += 1;
  }
  for (let cell = 0; cell < side * side; cell += 1) starts[cell + 1] += starts[cell];
  const rows = new Int32Array(many);
  const next = starts.slice();
  for (let row = 0; row < size; row += 1) {
    if (!Number.isNaN(x[row])) rows[next[cellAt(side, x[row], y[row])]++] = row;
  }
  return { x, y, side, starts, rows, many };
}

function lineOfCells(side, value) {
  return Math.max(0, Math.min(side - 1, Math.floor(value * side)));
}

function cellAt(side, x, y) {
  return lineOfCells(side, y) * side + lineOfCells(side, x);
}

/** The rows of all cells that a rectangle touches: those in it, and a few beside it. */
function rowsAround({ side, starts, rows, many }, [left, bottom, right, top]) {
  const found = new Int32Array(many);
  const [first, last] = [lineOfCells(side, left), lineOfCells(side, right)];
  let count = 0;
  for (let line = lineOfCells(side, bottom); line <= lineOfCells(side, top); line += 1) {
    const part = rows.subarray(starts[line * side + first], starts[line * side + last + 1]);
    found.set(part, count);
    count += part.length;
  }
  return found.subarray(0, count);
}

/** The nearest row within a reach that passes a test, or -1. */
function nearestPlace(places, x, y, reach, test) {
  let [nearest, least] = [-1, reach * reach];
  for (const row of rowsAround(places, [x - reach, y - reach, x + reach, y + reach])) {
    const distance = (places.x[row] - x) ** 2 + (places.y[row] - y) ** 2;
    if (distance <= least && test(row)) [nearest, least] = [row, distance];
  }
  return nearest;
}

/** The rows within a closed line of points [x, y] that pass a test. */
function rowsWithin(places, line, test) {
  const [xs, ys] = [line.map(([x]) => x), line.map(([, y]) => y)];
  const bounds = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  return rowsAround(places, bounds).filter((row) => {
    const [x, y] = [places.x[row], places.y[row]];
    if (x < bounds[0] || x > bounds[2] || y < bounds[1] || y > bounds[3]) return false;
    return isWithin(xs, ys, x, y) && test(row);
  });
}

/** Is a point within a closed line? A ray from it crosses the line an odd number of times. */
function isWithin(xs, ys, x, y) {
  let inside = false;
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i, i += 1) {
    if (ys[i] > y === ys[j] > y) continue;
    if (x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
  }
  return inside;
}

/**
 * The photo to which an arrow leads: the nearest in that direction, or -1. Photos at the same place
 * follow one another, so that each is reached.
 */
function nextPlace({ x, y, rows }, from, [right, up], test) {
  const forward = right - up > 0;
  let [nearest, least, same] = [-1, Infinity, -1];
  for (const row of rows) {
    if (row === from || !test(row)) continue;
    const [dx, dy] = [x[row] - x[from], y[row] - y[from]];
    if (!dx && !dy) {
      if (row > from === forward && (same < 0 || row < same === forward)) same = row;
      continue;
    }
    const along = dx * right + dy * up;
    const aside = Math.abs(dx * up) + Math.abs(dy * right);
    if (along <= 0 || aside > along) continue;
    const distance = along + 2 * aside;
    if (distance < least || (distance === least && row < nearest === forward)) {
      [nearest, least] = [row, distance];
    }
  }
  return same >= 0 ? same : nearest;
}
