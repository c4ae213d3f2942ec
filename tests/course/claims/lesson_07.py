"""Lesson 07: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("normalised colours have mean 0", "np.zeros(3), np.ones(3), training=True)", "np.zeros(3), np.ones(3))"),
    ("small weights make the signal vanish", "rng.normal(0, 0.01, shape)", "rng.normal(0, 0.06, shape)"),
    ("He's keep it", "np.sqrt(2 / FAN_IN)", "np.sqrt(3 / FAN_IN)"),
    ("Xavier's do not, behind ReLU", "np.sqrt(1 / FAN_IN)", "np.sqrt(2 / FAN_IN)"),
    ("without ReLU Xavier's do", "without_relu(1 / 64), without_relu(2 / 64)", "without_relu(2 / 64), without_relu(4 / 64)"),
    ("batch norm repairs all of them", "repair=True)[0] for name", "repair=False)[0] for name"),
    ("mean 4 and variance 5", "variance = ((x - mean) ** 2).mean()", "variance = ((x - mean) ** 2).sum() / 3"),
    ("a constant and a factor change nothing", '"B": 2 * x', '"B": x**2'),
    ("one number alone changes it", "np.array([1.0, 3, 5, 8])", "np.array([1.0, 3, 5, 7])"),
    ("step by step it is the formula", "dvar = ddeviation / (2 * deviation)", "dvar = ddeviation / deviation"),
    ("the two roads meet", "dcentred = dcentred + dsquares * 2 * centred", "dcentred = dsquares * 2 * centred"),
    ("the mean is part of it", "dx_steps = dcentred - dcentred.mean()", "dx_steps = dcentred"),
    ("the formula is the library's", "dx_formula = (dy - dy.mean() - x_hat", "dx_formula = (dy - dy.sum() - x_hat"),
    ("and what is measured", "for h in (1e-5, -1e-5)]", "for h in (3e-5, -1e-5)]"),
    ("a random dy catches the lazy one", "np.array([0.3, -1.2, 0.7, 0.4])", "np.full(4, 0.3)"),
    ("10 batches make 65 per cent", "progress.append(running_mean[0])", "progress.append(running_mean[0] ** 2)"),
    ("the running variance is by M - 1", "(4 / 3 - 0.9**44 / 3)", "1.0"),
    ("batch norm gains", "trained(True), trained(False)", "trained(True), trained(True)"),
    ("asked in training mode it is worse", "careless.train()", "careless.eval()"),
    ("and asking changes it", "careless = copy.deepcopy(with_norm)", "careless = with_norm"),
    ("one value a channel is refused", "np.ones((1, 2, 1, 1)), np.zeros(2)", "np.ones((1, 2, 1, 2)), np.zeros(2)"),
    ("equal weights stay equal", "cache1)[1]\n", "cache1)[1]\n    dfirst[1] += 1\n"),
    ("it folds into the convolution", "(offset - mu) * factor + beta", "offset * factor + beta"),
]  # fmt: skip
