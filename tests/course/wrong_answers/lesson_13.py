"""Lesson 13: wrong answers as students write them, and right ones in unusual styles; source text by exercise."""

from __future__ import annotations

_HEAD = "import math\nimport numpy as np\n"


def _of(signature: str, *bodies: str) -> list[str]:
    """One function for each body; lines of a body are divided by semicolons."""
    lines = ("\n    ".join(part.strip() for part in body.split(";")) for body in bodies)
    return [f"{_HEAD}def {signature}:\n    {body}\n" for body in lines]


_ADAM = "m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g**2; "

WRONG = {
    "first_loss": _of(
        "first_loss(classes)",
        "return np.log2(classes)",
        "return math.log(classes + 1)",
        "return np.log(classes - 1)",
        "return np.log(classes) / np.log(10)",
        "return 1 / classes",
        "return -1 / classes * np.log(1 / classes)",
        "return np.log(1 / classes)",
        "return -np.log(1 - 1 / classes)",
        "return np.exp(-1 / classes)",
        "return math.log(classes) / classes",
        "return 0.0",
        "return math.log(classes) / 2",
        "return classes * math.log(classes)",
        "return math.exp(classes)",
        "p = 1 / classes; return -(p * math.log(p) + (1 - p) * math.log(1 - p))",
        "return round(math.log(classes))",
        "return math.log(classes) ** 2",
    ),
    "poly": _of(
        "poly(i, n, power)",
        "return 1 - (i / n) ** power",
        "return (1 - i) / n ** power",
        "return ((n - i) / n) * power",
        "return (1 - (i + 1) / n) ** power",
        "return (1 - i / (n - 1)) ** power",
        "return (i / n) ** power",
        "return (1 - i // n) ** power",
        "return (1 - i / n) ** (1 / power)",
        "return power * (1 - i / n) ** (power - 1)",
        "return (n - i) ** power",
        "return math.exp(-power * i / n)",
        "return 0.5 * (1 + math.cos(math.pi * i / n))",
        "return (1 - i / (n + 1)) ** power",
        "return -((1 - i / n) ** power)",
        "return 1 / (1 + i / n) ** power",
        "return 0.1 ** (i // n)",
        "return (1 - i / n) ** (power + 1)",
        "return 1 - power * i / n",
    ),
    "sgd_step": _of(
        "sgd_step(w, g, v, rate, momentum, decay)",
        "v = momentum * v - rate * (g + decay * w); return w + v, v",
        "new_w = w - rate * v; v = momentum * v + g + decay * w; return new_w, v",
        "v = momentum * v + g; return w - rate * v, v",
        "v = momentum * v + g; return w - rate * v - rate * decay * w, v",
        "v = momentum * v + (1 - momentum) * (g + decay * w); return w - rate * v, v",
        "v = momentum * v + g + decay * v; return w - rate * v, v",
        "v = v + momentum * (g + decay * w); return w - rate * v, v",
        "v = momentum * (v + g + decay * w); return w - rate * v, v",
        "v = momentum * v + g + decay * w; return w + rate * v, v",
        "v = momentum * v + g + decay * w; return w - v, v",
        "v = momentum * v + g + decay * w; return w - rate * v",
        "v = momentum * v + g + decay * w**2; return w - rate * v, v",
        "v = momentum * v + g + decay * w; return v, w - rate * v",
        "v = momentum * v + g + decay * w; w -= rate * v; return w, v",
        "v = momentum * v + g + decay * w; return w - rate * v, -v",
        "v = momentum * v + g + decay * np.sign(w); return w - rate * v, v",
        "v = momentum * v + g / np.linalg.norm(g) + decay * w; return w - rate * v, v",
        "v = momentum * v + g + decay * w; return -rate * v, v",
        "v = momentum * v + g + 2 * decay * w; return w - rate * v, v",
        "v = momentum * v + g + decay * w; return w - rate * v / (1 - momentum), v",
        "v = momentum * v + g.mean() + decay * w; return w - rate * v, v",
    ),
    "adam_step": _of(
        "adam_step(w, g, m, v, t, rate)",
        _ADAM + "return w - rate * m / (np.sqrt(v) + 1e-8), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v) + 1e-8), m, v",
        _ADAM + "m = m / (1 - 0.9**t); v = v / (1 - 0.999**t); return w - rate * m / (np.sqrt(v) + 1e-8), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / np.sqrt(v / (1 - 0.999**t) + 1e-8), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / (v / (1 - 0.999**t) + 1e-8), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9 * t) / (np.sqrt(v / (1 - 0.999 * t)) + 1e-8), m, v",
        _ADAM + "return w - rate * g / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM.replace("g**2", "m**2") + "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM.replace("0.9 * m + 0.1 * g", "0.1 * m + 0.9 * g")
        + "return w - rate * m / (1 - 0.1**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM + "return w + rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-4), m, v",
        _ADAM + "m /= 1 - 0.9**t; return w - rate * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), v, m",
        _ADAM + "return w - m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM + "return w - rate * np.sign(m), m, v",
        _ADAM + "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v) / (1 - 0.999**t) + 1e-8), m, v",
        _ADAM + "return rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM + "return w - rate * m * (1 - 0.9**t) / (np.sqrt(v * (1 - 0.999**t)) + 1e-8), m, v",
    ),
}

RIGHT = {
    "first_loss": _of(
        "first_loss(classes)",
        "return -math.log(1.0 / classes)",
        "p = np.full(classes, 1 / classes); return float(-(p * np.log(p)).sum())",
        "s = np.zeros(classes); return np.log(np.exp(s).sum()) - s[0]",
    ),
    "poly": _of(
        "poly(i, n, power)",
        "return pow((n - i) / n, power)",
        "return math.exp(power * math.log1p(-i / n))",
        "return np.power(np.float32(1) - np.float32(i) / np.float32(n), np.float32(power))",
    ),
    "sgd_step": _of(
        "sgd_step(w, g, v, rate, momentum, decay)",
        "v = v * momentum; v += g; v += w * decay; return [w - v * rate, v]",
        "step = np.stack([g, decay * w, momentum * v]).sum(axis=0); return w - rate * step, step",
        "flat = lambda a: [float(x) for x in a.ravel()];"
        "new = [momentum * c + b + decay * a for a, b, c in zip(flat(w), flat(g), flat(v))];"
        "new = np.array(new).reshape(w.shape); return (w - rate * new).astype(np.float32), new.astype(np.float32)",
    ),
    "adam_step": _of(
        "adam_step(w, g, m, v, t, rate)",
        "m = m + 0.1 * (g - m); v = v + 0.001 * (g * g - v);"
        "return w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
        _ADAM + "scale = math.sqrt(1 - 0.999**t); return [w - rate * scale / (1 - 0.9**t) * m / (v**0.5 + 1e-8 * scale), m, v]",
        _ADAM + "mean, square = m / -math.expm1(t * math.log(0.9)), v / (1 - pow(0.999, t));"
        "return w - np.divide(rate * mean, np.add(np.sqrt(square), 1e-8)), m, v",
    ),
}
