// The palette: zero is the paper, blue is below, orange above. And the theme that it depends on.

const ENDS = {
  light: { zero: [255, 255, 255], below: [0, 92, 158], above: [222, 110, 0] },
  dark: { zero: [23, 26, 32], below: [96, 178, 255], above: [255, 170, 64] },
};

export function theme() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

export function startTheme(changed) {
  const wanted = window.matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = wanted.matches ? "dark" : "light";
  document.getElementById("theme").onclick = () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    changed();
  };
}

/** The colour [r, g, b] of a part from -1 to 1. */
export function colour(part) {
  const { zero, below, above } = ENDS[theme()];
  const strength = Math.min(1, Math.abs(part)) ** 0.75;
  const end = part < 0 ? below : above;
  return zero.map((level, i) => Math.round(level + (end[i] - level) * strength));
}

/** A CSS ground and the ink that reads well on it. */
export function ground(part) {
  const rgb = colour(part);
  const [r, g, b] = rgb.map((level) => (level <= 10 ? level / 3294.6 : ((level / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return { background: `rgb(${rgb.join(" ")})`, color: light > 0.179 ? "#000000" : "#ffffff" }; // either has a contrast of 4.5
}

/** Draws a map (H, W) on a canvas, one dot a number, `scale` being the strongest colour. */
export function drawMap(canvas, values, H, W, scale) {
  canvas.width = W;
  canvas.height = H;
  const image = new ImageData(W, H);
  const table = Array.from({ length: 513 }, (_, i) => colour((i - 256) / 256));
  for (let i = 0; i < H * W; i++) {
    const part = Math.max(-1, Math.min(1, values[i] / (scale || 1))) || 0;
    image.data.set(table[Math.round(part * 256) + 256], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
