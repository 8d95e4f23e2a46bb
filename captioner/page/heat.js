// The picture of attention, exactly as captioner/overlay.py draws it.
(() => {
  const bytes = captioner.inferno.match(/../g).map((digits) => parseInt(digits, 16));
  const entries = bytes.length / 3;
  const LEVELS = 256;
  const colours = new Uint8ClampedArray(LEVELS * 4).fill(255);
  for (let level = 0; level < LEVELS; level++) {
    const place = (level / (LEVELS - 1)) * (entries - 1);
    const low = Math.min(Math.floor(place), entries - 2);
    for (let channel = 0; channel < 3; channel++) {
      const from = bytes[low * 3 + channel], to = bytes[(low + 1) * 3 + channel];
      colours[level * 4 + channel] = Math.round(from + (to - from) * (place - low));
    }
  }

  // How much each of `pixels` takes from each of `cells`: a cubic B-spline, rows summing to 1.
  const splines = new Map();
  function spline(cells, pixels) {
    const key = `${cells}x${pixels}`;
    if (!splines.has(key)) {
      splines.set(key, Float32Array.from({length: pixels * cells}, () => 0));
      const weights = splines.get(key);
      for (let pixel = 0; pixel < pixels; pixel++) {
        weights.set(splineAt(cells, (pixel + 0.5) / pixels), pixel * cells);
      }
    }
    return splines.get(key);
  }

  function splineAt(cells, position) {
    const weights = Array.from({length: cells}, (_, cell) => {
      const distance = Math.abs(position * cells - 0.5 - cell);
      if (distance < 1) return 2 / 3 - distance ** 2 + distance ** 3 / 2;
      return Math.max(0, 2 - distance) ** 3 / 6;
    });
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  }

  // One map, flat (rows × columns), as numbers from 0 to 1 for width × height pixels.
  function heat(map, rows, columns, width, height) {
    const across = spline(columns, width), down = spline(rows, height);
    const wide = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += across[x * columns + c] * map[row * columns + c];
        wide[row * width + x] = sum;
      }
    }
    const picture = new Float32Array(width * height);
    let least = Infinity, most = -Infinity;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let row = 0; row < rows; row++) sum += down[y * rows + row] * wide[row * width + x];
        picture[y * width + x] = sum;
        least = Math.min(least, sum);
        most = Math.max(most, sum);
      }
    }
    const even = map.reduce((total, cell) => total + cell, 0) / map.length;
    const scale = 1 / Math.max(most - least, even, 1e-12);
    return picture.map((value) => (value - least) * scale);
  }

  // Paints a map over a photo of `aspect` (width / height). The stylesheet stretches the canvas
  // over the photo; 160 pixels are plenty for a picture as smooth as this.
  captioner.paint = (canvas, map, rows, columns, aspect) => {
    canvas.width = Math.max(1, Math.round(aspect >= 1 ? 160 : 160 * aspect));
    canvas.height = Math.max(1, Math.round(aspect >= 1 ? 160 / aspect : 160));
    const values = heat(map, rows, columns, canvas.width, canvas.height);
    const picture = new ImageData(canvas.width, canvas.height);
    values.forEach((value, pixel) => {
      const level = Math.round(value * (LEVELS - 1)) * 4;
      picture.data.set(colours.subarray(level, level + 4), pixel * 4);
    });
    canvas.getContext("2d").putImageData(picture, 0, 0);
  };

  // How densely a map looks at a point (0…1 from the left, 0…1 from the top); 1 is an even share.
  captioner.density = (map, rows, columns, left, top) => {
    const across = splineAt(columns, left), down = splineAt(rows, top);
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        sum += down[row] * across[column] * map[row * columns + column];
      }
    }
    return sum * rows * columns;
  };
})();
