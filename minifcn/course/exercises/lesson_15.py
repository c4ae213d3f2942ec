"""Exercises of lesson 15: who learns at which rate, a convention folded into a convolution, weights moved by name."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises import Exercise

# ------------------------------------------------------------------------------------------------------------- rates


def rates(names, lr, frozen):
    """{name: its rate}: 0 in a frozen layer, else lr; a bias twice that, a layer whose name begins with "score" ten times."""
    return _rates(names, lr, frozen)


def _rates(names, lr, frozen, bias=2.0, score=10.0, is_frozen=None, is_score=None):
    found = {}
    for name in names:
        layer, _, kind = name.partition(".")
        rate = lr * (bias if kind == "bias" else 1) * (score if (is_score or _begins_with_score)(layer) else 1)
        found[name] = 0.0 if (is_frozen or _in)(layer, frozen) else rate
    return found


def _in(layer, frozen):
    return layer in frozen


def _begins_with_score(layer):
    return layer.startswith("score")


def frozen_learn(right, names, lr, frozen):
    """Frozen layers learn like all others; their rate is 0."""
    return right(names, lr, [])


def only_frozen_learn(right, names, lr, frozen):
    """It is the wrong way round: the frozen ones learn, and all others stand still."""
    return _rates(names, lr, frozen, is_frozen=lambda layer, frozen: layer not in frozen)


def frozen_by_beginning(right, names, lr, frozen):
    """Layers whose name only *begins* like that of a frozen one are frozen too: conv1 is not conv10."""
    return _rates(names, lr, frozen, is_frozen=lambda layer, frozen: any(layer.startswith(name) for name in frozen))


def frozen_left_out(right, names, lr, frozen):
    """Frozen layers are missing from the dict; they are in it, with rate 0."""
    return {name: rate for name, rate in right(names, lr, frozen).items() if rate}


def bias_like_weight(right, names, lr, frozen):
    """Biases learn at the rate of weights; a bias learns at twice that."""
    return _rates(names, lr, frozen, bias=1.0)


def bias_half(right, names, lr, frozen):
    """Biases learn at half the rate; at twice the rate."""
    return _rates(names, lr, frozen, bias=0.5)


def bias_does_not_learn(right, names, lr, frozen):
    """Biases have rate 0. It is weight decay that a bias has none of; its rate is twice that of a weight."""
    return _rates(names, lr, frozen, bias=0.0)


def scores_like_others(right, names, lr, frozen):
    """Scores learn like all other layers; they are new, and learn ten times as fast."""
    return _rates(names, lr, frozen, score=1.0)


def scores_a_tenth(right, names, lr, frozen):
    """Scores learn at a tenth of the rate; they are new, and learn ten times as fast."""
    return _rates(names, lr, frozen, score=0.1)


def score_anywhere(right, names, lr, frozen):
    """Layers with "score" anywhere in their name learn ten times as fast; only those that *begin* with it."""
    return _rates(names, lr, frozen, is_score=lambda layer: "score" in layer)


def score_alone(right, names, lr, frozen):
    """Only a layer that is called "score" and nothing more learns faster; score4 and score_fr begin with it."""
    return _rates(names, lr, frozen, is_score=lambda layer: layer == "score")


def score_bias_ten(right, names, lr, frozen):
    """The bias of a score learns ten times as fast; twice and ten times is twenty times."""
    found = right(names, lr, frozen)
    return {name: min(rate, 10 * lr) for name, rate in found.items()}


def added(right, names, lr, frozen):
    """For the bias of a score you add 2 and 10; factors multiply: 20."""
    found = right(names, lr, frozen)
    return {name: 12 * lr if rate > 15 * lr else rate for name, rate in found.items()}


def all_alike(right, names, lr, frozen):
    """All learn at the same rate: frozen layers, biases and scores each have one of their own."""
    return dict.fromkeys(names, lr)


def score_bias_two(right, names, lr, frozen):
    """The bias of a score learns only twice as fast; it is a bias *and* of a score: twenty times."""
    return {name: 2 * lr if rate > 15 * lr else rate for name, rate in right(names, lr, frozen).items()}


def frozen_biases_learn(right, names, lr, frozen):
    """The biases of frozen layers learn; a frozen layer is frozen with its bias."""
    return right(names, lr, []) | {name: rate for name, rate in right(names, lr, frozen).items() if "bias" not in name}


def frozen_are_slow(right, names, lr, frozen):
    """Frozen layers learn slowly; they do not learn at all: 0."""
    return {name: rate or right([name], lr, [])[name] / 10 for name, rate in right(names, lr, frozen).items()}


_NAMES = [
    "conv1.weight", "conv1.bias", "conv10.weight", "conv10.bias", "norm1.weight", "norm1.bias", "score4.weight",
    "score4.bias", "score_fr.weight", "score_fr.bias", "score.weight", "upscore2.weight",
]  # fmt: skip

RATES = Exercise(
    rates,
    [
        (["conv1.weight", "conv1.bias"], 0.01, []),
        (["score4.weight", "score4.bias", "up3.weight"], 0.003, ["up3"]),
        (_NAMES, 0.02, ["conv1", "norm1"]),
        (_NAMES, 0.5, ["score_fr", "conv10"]),
    ],
    (
        frozen_learn, only_frozen_learn, frozen_by_beginning, frozen_left_out, bias_like_weight, bias_half,
        bias_does_not_learn, scores_like_others, scores_a_tenth, score_anywhere, score_alone, score_bias_ten, added,
        all_alike, score_bias_two, frozen_biases_learn, frozen_are_slow,
    ),
    step="warm-up",
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------------- fold


def fold(weight, bias, mean, std, m):
    """Weights (O, 3, KH, KW) and bias for (z / 255 - mean) / std, red first, made into those for z - m, blue first."""
    return _folded(weight, bias, mean, std, m)


def _folded(weight, bias, mean, std, m, most=255.0, sign=1.0, turned=True):
    each = weight / _column(most * std)
    more = (weight * _column((m / most - mean) / std)).sum(axis=(1, 2, 3))
    return each[:, ::-1] if turned else each, bias + sign * more


def _column(values):
    return values[:, None, None]


def not_reversed(right, weight, bias, mean, std, m):
    """The channels of the new weight are red first; the new pictures are blue first, so turn them round."""
    return _folded(weight, bias, mean, std, m, turned=False)


def std_reversed(right, weight, bias, mean, std, m):
    """Your std is in the order blue, green, red; it is red first, as the old weight is: turn the channels round at the end."""
    return right(weight, bias, mean, std[::-1], m)


def mean_reversed(right, weight, bias, mean, std, m):
    """Your mean is in the order blue, green, red; it is red first, as the old weight is."""
    return right(weight, bias, mean[::-1], std, m)


def m_reversed(right, weight, bias, mean, std, m):
    """m is in the order blue, green, red; here it is red first, as mean and std are."""
    return right(weight, bias, mean, std, m[::-1])


def bias_sign(right, weight, bias, mean, std, m):
    """The sum is subtracted from the bias; it is added: what m / 255 - mean is worth is missing in the new pictures."""
    return _folded(weight, bias, mean, std, m, sign=-1.0)


def bias_untouched(right, weight, bias, mean, std, m):
    """The bias is the old one; what was subtracted from the pictures has to come back through it."""
    return right(weight, bias, mean, std, m)[0], bias


def without_255(right, weight, bias, mean, std, m):
    """The 255 is forgotten: the old network saw z / 255."""
    return _folded(weight, bias, mean, std, m, most=1.0)


def weight_without_255(right, weight, bias, mean, std, m):
    """The 255 is missing from the weight: divide by 255 std."""
    new_weight, new_bias = right(weight, bias, mean, std, m)
    return new_weight * 255, new_bias


def mean_not_divided(right, weight, bias, mean, std, m):
    """In the bias, m / 255 - mean has not been divided by std."""
    more = (weight * _column(m / 255 - mean)).sum(axis=(1, 2, 3))
    return right(weight, bias, mean, std, m)[0], bias + more


def std_multiplied(right, weight, bias, mean, std, m):
    """The weight is multiplied by std; it is divided by it."""
    return (weight * _column(std / 255))[:, ::-1], right(weight, bias, mean, std, m)[1]


def m_not_divided(right, weight, bias, mean, std, m):
    """m is in numbers up to 255 and mean in numbers up to 1: m / 255 - mean."""
    more = (weight * _column((m - mean) / std)).sum(axis=(1, 2, 3))
    return right(weight, bias, mean, std, m)[0], bias + more


def m_forgotten(right, weight, bias, mean, std, m):
    """m is forgotten: the new pictures have had it subtracted, and the bias has to give it back."""
    return right(weight, bias, mean, std, m * 0)


def mean_forgotten(right, weight, bias, mean, std, m):
    """The mean is forgotten: the bias has to subtract it."""
    return right(weight, bias, mean * 0, std, m)


def new_weight_in_the_bias(right, weight, bias, mean, std, m):
    """The sum is made with the new weight, which is turned round and divided by 255 std already; take the old one."""
    new_weight, _ = right(weight, bias, mean, std, m)
    return new_weight, bias + (new_weight * _column((m / 255 - mean) / std)).sum(axis=(1, 2, 3))


def std_multiplied_in_the_bias(right, weight, bias, mean, std, m):
    """In the bias, m / 255 - mean is multiplied by std; it is divided by it."""
    more = (weight * _column((m / 255 - mean) * std)).sum(axis=(1, 2, 3))
    return right(weight, bias, mean, std, m)[0], bias + more


def m_before_std(right, weight, bias, mean, std, m):
    """Only mean is divided by std; the whole of m / 255 - mean is."""
    more = (weight * _column(m / 255 - mean / std)).sum(axis=(1, 2, 3))
    return right(weight, bias, mean, std, m)[0], bias + more


def shift_without_weights(right, weight, bias, mean, std, m):
    """What is added to the bias has not gone through the weights: each channel's shift times its weights, summed."""
    return right(weight, bias, mean, std, m)[0], bias + ((m / 255 - mean) / std).sum()


def averaged(right, weight, bias, mean, std, m):
    """The shifts are averaged over the kernel; every tap of it sees the shift: sum over channels, rows and columns."""
    more = (weight * _column((m / 255 - mean) / std)).mean(axis=(2, 3)).sum(axis=1)
    return right(weight, bias, mean, std, m)[0], bias + more


def one_tap_only(right, weight, bias, mean, std, m):
    """The sum takes the middle of the kernel only; every tap of it sees the shift: sum over channels, rows and columns."""
    KH, KW = weight.shape[2:]
    more = (weight[:, :, KH // 2, KW // 2] * ((m / 255 - mean) / std)).sum(axis=1)
    return right(weight, bias, mean, std, m)[0], bias + more


def kernel_flipped(right, weight, bias, mean, std, m):
    """The kernel is turned round in rows and columns too; only the channels are, axis 1."""
    new_weight, new_bias = right(weight, bias, mean, std, m)
    return new_weight[:, :, ::-1, ::-1], new_bias


def _fold_cases() -> list[tuple]:
    rng = np.random.default_rng(150)
    cases = []
    for O, KH, KW in ((1, 1, 1), (2, 3, 2), (4, 3, 3), (3, 1, 5)):
        mean, std = rng.uniform(0.3, 0.6, 3), rng.uniform(0.15, 0.4, 3)
        cases.append((rng.normal(size=(O, 3, KH, KW)), rng.normal(size=O), mean, std, rng.uniform(90, 140, 3)))
    return cases


FOLD = Exercise(
    fold,
    _fold_cases(),
    (
        not_reversed, std_reversed, mean_reversed, m_reversed, bias_sign, bias_untouched, without_255, weight_without_255,
        mean_not_divided, std_multiplied, m_not_divided, m_forgotten, mean_forgotten, new_weight_in_the_bias, one_tap_only,
        std_multiplied_in_the_bias, m_before_std,
        shift_without_weights, averaged,
        kernel_flipped,
    ),
    parts=("the weight", "the bias"),
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------- transplant


def transplant(mine, source):
    """All names of mine: the source's array where name and shape agree, or where it is the same rows as a matrix; else mine."""
    return _transplanted(mine, source)


def _transplanted(mine, source, shaped=None, matrices=True, by_shape=True):
    found = {}
    for name, own in mine.items():
        theirs = source.get(name)
        found[name] = own
        if theirs is None:
            continue
        if theirs.shape == own.shape or not by_shape:
            found[name] = theirs
        elif matrices and theirs.ndim == 2 and len(theirs) == len(own) and theirs.size == own.size:
            found[name] = (shaped or (lambda matrix, shape: matrix.reshape(shape)))(theirs, own.shape)
    return found


def by_position(right, mine, source):
    """Arrays are copied by their position; names say what belongs together."""
    theirs = list(source.values())
    return {
        name: theirs[place] if place < len(theirs) and theirs[place].shape == own.shape else own
        for place, (name, own) in enumerate(mine.items())
    }


def by_shape_alone(right, mine, source):
    """An array is copied from any that has its shape; the names must agree, too."""
    return {name: next((theirs for theirs in source.values() if theirs.shape == own.shape), own) for name, own in mine.items()}


def whatever_shape(right, mine, source):
    """Arrays are copied by their names alone, whatever their shape; one that does not fit stays out."""
    return _transplanted(mine, source, by_shape=False)


def no_matrices(right, mine, source):
    """A matrix is not taken for a convolution: the same rows and as many numbers are reshaped."""
    return _transplanted(mine, source, matrices=False)


def dimensions_alone(right, mine, source):
    """Arrays with as many *axes* are copied; their lengths must agree, too."""
    found = right(mine, source)
    return {
        name: source[name] if name in source and source[name].ndim == own.ndim else found[name] for name, own in mine.items()
    }


def rows_last(right, mine, source):
    """The numbers of a matrix are read in the wrong order: a row is one output, and is read channel by channel."""
    return _transplanted(
        mine, source, shaped=lambda matrix, shape: matrix.reshape(len(matrix), *shape[2:], shape[1]).transpose(0, 3, 1, 2)
    )


def column_by_column(right, mine, source):
    """The numbers of a matrix are read column by column; each row is one output."""
    return _transplanted(mine, source, shaped=lambda matrix, shape: matrix.T.reshape(shape))


def kernel_turned(right, mine, source):
    """Rows and columns of the kernel are exchanged in what was a matrix; the numbers stay in their order."""
    return _transplanted(
        mine, source, shaped=lambda matrix, shape: matrix.reshape(*shape[:2], shape[3], shape[2]).swapaxes(2, 3)
    )


def sizes_only(right, mine, source):
    """As many numbers are not enough: a matrix with other rows is another layer, and stays out."""
    return {
        name: source[name].reshape(own.shape) if name in source and source[name].size == own.size else own
        for name, own in mine.items()
    }


def only_what_was_found(right, mine, source):
    """What the source does not have is missing from the dict; it keeps mine."""
    found = right(mine, source)
    return {name: array for name, array in found.items() if name in source}


def all_of_the_source(right, mine, source):
    """Names that only the source has are in the dict; the network has no place for them."""
    return {**source, **right(mine, source)}


def zeros_where_nothing_is(right, mine, source):
    """What finds nothing in the source is zero; it keeps mine."""
    found = right(mine, source)
    return {name: array if found[name] is not mine[name] else array * 0 for name, array in found.items()}


def the_other_way(right, mine, source):
    """It goes the other way: mine is copied into the source."""
    return right(source, mine)


def nothing_copied(right, mine, source):
    """Nothing is copied: these are all mine."""
    return dict(mine)


def _transplant_cases() -> list[tuple]:
    rng = np.random.default_rng(151)

    def arrays(**shapes):
        return {name.replace("__", "."): rng.normal(size=shape) for name, shape in shapes.items()}

    return [
        (arrays(conv__weight=(2, 3), conv__bias=(2,)), arrays(conv__weight=(2, 3), conv__bias=(2,))),
        (
            arrays(conv__bias=(3,), norm__weight=(3,), norm__bias=(3,), score__bias=(3,)),
            arrays(answer__bias=(3,), norm__bias=(3,), norm__weight=(3,), conv__bias=(3,)),
        ),
        (
            arrays(fc__weight=(4, 2, 3, 2), fc__bias=(4,), score__weight=(5, 4, 1, 1)),
            arrays(fc__bias=(4,), fc__weight=(4, 12), score__weight=(7, 4, 1, 1)),
        ),
        (
            arrays(fc__weight=(6, 4, 3, 5), up__weight=(3, 4, 2, 2), score__weight=(2, 3, 2, 2), own__bias=(4,)),
            arrays(fc__weight=(6, 60), up__weight=(4, 12), score__weight=(2, 3, 4), other__bias=(2,)),
        ),
    ]


TRANSPLANT = Exercise(
    transplant,
    _transplant_cases(),
    (
        by_position, by_shape_alone, whatever_shape, no_matrices, dimensions_alone, rows_last, column_by_column,
        kernel_turned, sizes_only,
        only_what_was_found, all_of_the_source, zeros_where_nothing_is, the_other_way, nothing_copied,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (RATES, FOLD, TRANSPLANT)
