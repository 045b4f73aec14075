// Words are named from the most frequent down (ends of arrows first), on the side where the name covers no other.
function placeWords(box, spec, table, arrowTable) {
  const margin = 14;
  const width = box.clientWidth - 10, height = Math.max(420, Math.min(560, width * 0.95));
  const words = objects(table);
  const ends = new Set(arrowTable.rows.flat());
  const bounds = (axis) => {
    const values = words.map((word) => word[axis]);
    const low = Math.min(...values), high = Math.max(...values);
    return [low, high > low ? high : low + 1];
  };
  const [left, right] = bounds("x"), [bottom, top] = bounds("y");
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "11px " + getComputedStyle(document.body).fontFamily;
  words.forEach((word, index) => {
    word.end = ends.has(index);
    word.x = (margin + ((word.x - left) / (right - left)) * (width - 2 * margin)) / width;
    word.y = (margin + ((word.y - bottom) / (top - bottom)) * (height - 2 * margin)) / height;
  });
  const taken = [];
  const apart = (p, q) => p[1] < q[0] || p[0] > q[1] || p[3] < q[2] || p[2] > q[3];
  const order = words.map((_, index) => index).sort((a, b) => words[b].end - words[a].end || words[b].count - words[a].count);
  for (const index of order) {
    const word = words[index];
    const x = word.x * width, y = (1 - word.y) * height, size = pen.measureText(word.word).width;
    const sides = {
      right: [x - 2, x + size + 9, y - 7, y + 7], left: [x - size - 9, x + 2, y - 7, y + 7],
      above: [x - size / 2, x + size / 2, y - 19, y + 2], below: [x - size / 2, x + size / 2, y - 2, y + 19],
    };
    word.side = Object.keys(sides).find((side) => {
      const area = sides[side];
      return area[0] >= 0 && area[1] <= width && taken.every((other) => apart(area, other));
    }) || "";
    taken.push(word.side ? sides[word.side] : [x - 2, x + 2, y - 2, y + 2]);
  }
  const arrows = arrowTable.rows.map(([from, to]) => {
    const a = words[from], b = words[to];
    const dx = (b.x - a.x) * width, dy = (b.y - a.y) * height, length = Math.hypot(dx, dy) || 1;
    const back = Math.min(6, length / 2) / length;
    return {
      x: a.x, y: a.y, x2: b.x, y2: b.y, tip_x: b.x - (b.x - a.x) * back, tip_y: b.y - (b.y - a.y) * back,
      angle: (Math.atan2(dx, dy) * 180) / Math.PI,
    };
  });
  spec.height = height;
  return { words, arrows };
}
