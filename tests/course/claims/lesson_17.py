"""Lesson 17: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("one softmax on both", "return e / e.sum(axis=1, keepdims=True)", "return e / e.sum(axis=2, keepdims=True)"),
    ("relu_backward is right", "launch(relu_backward, 4, 256, dy, y, dx)", "launch(relu_backward, 3, 256, dy, y, dx)"),
    ("the guard is named", "launch(without_guard, 4, 256, dy, y, dx)", "launch(relu_backward, 4, 256, dy, y, dx)"),
    ("the library's text", '"relu.cu").read_text', '"im2col.cu").read_text'),
    ("stamps in order are right", "launch(stamps, 1, 4, pixels, stamp, large)\nprint", "print"),
    ("all at once a part is lost", "sums[schedule] = large.sum()", "sums[schedule] = right.sum()"),
    ("five are wrong", 'late, schedule="all read, then all write")', 'late, schedule="in order")'),
    ("atomics are right", "t.atomic_add(y, place, x[t.thread] * weight[3 * a + b])",
     "y[place] = y[place] + x[t.thread] * weight[3 * a + b]"),
    ("another order, other digits", "np.float32(100)", "np.float32(0)"),
    ("gathering is right", "down, across = row - a, column - b", "down, across = row + a, column + b"),
    ("a tile reads 324", "for k in range(t.thread, 18 * 18, t.size):", "for k in range(18 * 18):"),
    ("without waiting it is wrong", '.replace("    yield  #", "    pass  #")', ".strip()"),
    ("some wait for ever", "if t.thread < 10:", "if t.thread < 256:"),
    ("a row is one line", "across = np.arange(32) * 4 // 128", "across = np.arange(32) * 8 // 128"),
    ("a column is 32", "down = np.arange(32) * 500 * 4 // 128", "down = np.arange(32) * 16 * 4 // 128"),
    ("ten bits", "np.uint32(0x1000)) & np.uint32(0xFFFFE000)", "np.uint32(0x0800)) & np.uint32(0xFFFFF000)"),
    ("so wrong is a product", 'off(tf32(A) @ tf32(B)), "three', 'off(A @ B), "three'),
    ("three bring it back", "(tf32(A) @ B_rest + A_rest @ tf32(B))", "tf32(A) @ B_rest"),
    ("what waits for memory", "def products_a_byte(C, O, K, H, W):", "def products_a_byte(O, C, H, K, W):"),
    ("the same value is a race", "launch(same_value, 1, 2, np.zeros(1))", "launch(same_value, 1, 1, np.zeros(1))"),
    ("pairs keep their digits", "pairs = pairs[0::2] + pairs[1::2]", "pairs = 2 * pairs[1::2] - 0.001"),
]  # fmt: skip
