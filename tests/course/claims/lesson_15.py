"""Lesson 15: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("the giant sees", "train(giant, word_x, words, adam, 100, batch=16)", "train(giant, word_x, words, adam, 3, batch=16)"),
    ("a word for each", "with_words(5000, 300)", "with_words(5000, 299)"),
    ("24 arrays are copied", 'net = SmallFCN()\nreport', 'net = SmallFCN(norm=False)\nreport'),
    ("what is renamed is refused", 'name.replace("conv3", "third")', 'name.replace("third", "conv3")'),
    ("frozen beats scratch", 'if way == "frozen":\n', 'if way == "from scratch":\n'),
    ("and fine-tuning", 'freeze(net, ["conv*", "norm*"])\n    elif', 'freeze(net, ["score4"])\n    elif'),
    ("stages lie near frozen", "lr, steps = lr / 5, steps // 2", "lr, steps = lr * 5, steps // 2"),
    ("one column proves nothing", 'draws["frozen"] - draws["from scratch"]', 'draws["fine-tuned"] - draws["from scratch"]'),
    ("freezing saves what is kept", 'names = freeze(frozen, ["conv*", "norm*"])', 'names = freeze(frozen, ["conv4", "norm*"])'),
    ("frozen layers have no gradient", "weights = dict(frozen", 'names = ["score4.bias"]\nweights = dict(frozen'),
    ("more masks turn it round", "more = pictures(2000, 64)", "more = pictures(2000, 4)"),
    ("picture 12 by 64 masks", '"fine-tuned, 64 masks": tuned', '"fine-tuned, 64 masks": first_of["frozen"]'),
    ("another convention is rubbish", "(test_x + 1) / 2", "(test_x + 1) - 1"),
    ("blue first is rubbish", "np.ascontiguousarray(test_x[:, ::-1])", "np.ascontiguousarray(test_x[:, ::1])"),
    ("folding is exact", "each = weight / column(255 * std)", "each = weight / column(254 * std)"),
    ("its bias too", "return each[:, ::-1], bias + more", "return each[:, ::-1], bias - more"),
    ("but for the outermost ring", "off = np.abs(got - wanted)", "off = np.abs(got - wanted)[..., 1:-1, 1:-1]"),
    ("unturned is wrong on colours", "fold(weight, bias, mean, std, m)[0][:, ::-1]", "fold(weight, bias, mean, std, m)[0]"),
    ("what is new in each stage", '("fcn32s", "fcn16s"), ("fcn16s", "fcn8s")', '("fcn16s", "fcn16s"), ("fcn16s", "fcn8s")'),
    ("four of one shape", 'if "norm2" in name', 'if "2" in name'),
    ("the new scores are zero",
     "assert np.abs(fresh_net.eval()",
     "fresh_net.score4.bias.data += 1\nassert np.abs(fresh_net.eval()"),
]  # fmt: skip
