"""Says what a wrong answer did, from what it returned in all cases together.

A suspect (`suspects`) that gives the reader's results in every case explains them. Where none does, they are described: another
kind, another size, always 1 too many, a pattern that all wrong cases show (`describe`). The last resort is two numbers that
differ.
"""

from __future__ import annotations

import difflib
import functools
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from minifcn.course.describe import Found, agreed, fitted, longer, not_finite, other_size, reduced, right_where
from minifcn.course.exercises import Answer, Exercise
from minifcn.course.results import Result, kind, like, plain, same
from minifcn.course.suspects import Suspect, listed, others

_SECONDS = 15.0  # for suspects; of an answer that takes its time not all pairs are tried

_MOST_PARTS = 3  # of a tuple or a dict, are explained one by one; the others are only named


def explain(exercise: Exercise, results: Sequence[Result], keys: Sequence[Result]) -> tuple[str, bool]:
    """What was done instead, and whether that is more than a number. At least one of the results is not its key."""
    results = [like(mine, key) for mine, key in zip(results, keys, strict=False)]
    keys = keys[: len(results)]
    if exercise.against and all(isinstance(mine, str) and mine in exercise.words for mine in results):
        return _contradicted(exercise, results, keys), True
    if words := _suspect(listed(exercise), exercise, results):
        return words, True
    if isinstance(exercise.answer(*exercise.cases[0]), (bool, np.bool_)):
        results, keys = _true_or_false(results), _true_or_false(keys)
        exercise = replace(exercise, words=("True", "False"))
    strange = next((at for at in range(len(keys)) if _differ(results[at], keys[at], exercise.cases[at])), None)
    if strange is not None:
        return _other_kind(exercise, results, keys, strange), True
    if isinstance(keys[0], (tuple, dict)):
        return _part_by_part(exercise, results, keys)
    exact = _of_words(exercise, results, keys) if isinstance(keys[0], str) else _exactly(exercise, results, keys)
    if exact:
        return exact, True
    only = right_where(exercise, list(map(same, results, keys)))
    look = _roughly(exercise, results, keys) if not isinstance(keys[0], str) else None
    if look:
        return f"Your result {look}.{f' It {only}.' if only else ''}", True
    return (f"Your result {only}.", True) if only else (_first_difference(results, keys), False)


def _true_or_false(results: Sequence[Result]) -> list[Result]:
    """1 and 0 as words, where the library's answer is True or False."""
    return [str(bool(one)) if isinstance(one, np.ndarray) and one.shape == () and one in (0, 1) else one for one in results]


def _exactly(exercise: Exercise, results: Sequence[Any], keys: Sequence[Any]) -> Found:
    """Of arrays and numbers: what gives these very results in all cases; from fewer than three numbers nothing is guessed."""
    if sum(map(np.size, results)) < 3:
        return None
    if all(mine.shape == key.shape for mine, key in zip(results, keys, strict=True)) and (found := fitted(results, keys)):
        return f"Your result {found}."
    return _suspect(others(exercise), exercise, results)


def _roughly(exercise: Exercise, results: Sequence[Any], keys: Sequence[Any]) -> Found:
    """Of arrays and numbers: what all wrong cases have in common."""
    if any(mine.shape != key.shape for mine, key in zip(results, keys, strict=True)):
        found = reduced(results, keys) or other_size(exercise, results, keys) or longer(results, keys)
    else:
        found = not_finite(results, keys)
    return found or (agreed(results, keys) if sum(map(np.size, results)) > len(results) else None)


def _suspect(some: Iterator[Suspect], exercise: Exercise, results: Sequence[Result]) -> Found:
    """The words of the first suspect that gives the reader's results; None where none does, or none within some seconds."""
    end = time.monotonic() + _SECONDS
    for words, wrong in some:
        if _gives(wrong, exercise, results):
            return words
        if time.monotonic() > end:
            break
    return None


def _gives(wrong: Answer, exercise: Exercise, results: Sequence[Result]) -> bool:
    """Whether this wrong answer gives the reader's results in every case."""
    for case, mine in zip(exercise.cases, results, strict=False):
        try:
            if not same(mine, plain(wrong(*case))):
                return False
        except Exception:  # a mistake that cannot be made with these sizes, in whatever way the library says so
            return False
    return bool(results)


# ---------------------------------------------------------------------------------------------------------- other kinds


def _differ(mine: Result, key: Result, case: tuple) -> bool:
    """Whether the two are of different kinds: not both arrays, or one that is empty because an argument is 0."""
    if isinstance(mine, tuple) and isinstance(key, tuple):
        return len(mine) != len(key) or _in_another_order(mine, key)
    if isinstance(mine, dict) and isinstance(key, dict):
        return set(mine) != set(key)
    if isinstance(mine, np.ndarray) and isinstance(key, np.ndarray):
        return key.size > mine.size == 0 and any(isinstance(one, int) and one == 0 for one in case)
    return type(mine) is not type(key)


def _other_kind(exercise: Exercise, results: Sequence[Result], keys: Sequence[Result], at: int) -> str:
    """The sentence for results of another kind, the first of which is number `at`."""
    mine, key = results[at], keys[at]
    said = f"Your result is {kind(mine)} where {kind(key)} is asked for"
    if isinstance(key, tuple):
        return _not_that_tuple(said, mine, key, _part_names(exercise, key))
    if isinstance(mine, dict) and isinstance(key, dict):
        return _other_names(mine, key)
    if isinstance(mine, tuple):
        return said + _right_inside(results, keys)
    if isinstance(mine, np.ndarray) and isinstance(key, np.ndarray):
        return f"{said}: nothing is in it. A slice like x[p:-p] is empty when p is 0: write x[p : n - p], with n the length."
    return f"{said}."


def _right_inside(results: Sequence[Result], keys: Sequence[Result]) -> str:
    """The end of the sentence for tuples where one thing is asked for: which of their parts is right."""
    least = min(len(one) if isinstance(one, tuple) else 0 for one in results)
    for place in range(least):
        if all(same(one[place], key) for one, key in zip(results, keys, strict=True)):
            return f"; its {_ordinal(place)} part is right: return that alone."
    return "."


def _not_that_tuple(said: str, mine: Result, key: tuple, names: list[str]) -> str:
    """Where a tuple is asked for: one of its parts alone, another order, another length."""
    if isinstance(mine, tuple) and len(mine) == len(key):
        return f"The parts of your result are right, but in another order: return {', '.join(names)}."
    alone = next((name for name, part in zip(names, key, strict=True) if same(mine, part)), None)
    return f"{said}{f': it is {alone} alone' if alone else ''}; return {', '.join(names)}."


def _in_another_order(mine: tuple, key: tuple) -> bool:
    matches = [[same(part, one) for part in key] for one in mine]
    taken = [row.index(True) if any(row) else -1 for row in matches]
    return sorted(taken) == list(range(len(key))) != taken


def _other_names(mine: dict, key: dict) -> str:
    """Of two dicts with different names."""
    missing, strange = [name for name in key if name not in mine], [name for name in mine if name not in key]
    said = [f"has nothing for {_listed(missing)}"] if missing else []
    said += [f"has {_listed(strange)}, which nobody asked for"] if strange else []
    return f"Your result {' and '.join(said)}; its names must be {_listed(list(key))}."


def _part_names(exercise: Exercise, key: tuple) -> list[str]:
    if len(exercise.parts) == len(key):
        return list(exercise.parts)
    return [f"the {_ordinal(place)} part" for place in range(len(key))]


def _part_by_part(exercise: Exercise, results: Sequence[Any], keys: Sequence[Any]) -> tuple[str, bool]:
    """Of tuples and dicts: each wrong part is explained like an answer of its own, over the cases that have it."""
    if isinstance(keys[0], dict):
        called = {name: str(name) for key in keys for name in key}
    else:
        called = dict(enumerate(_part_names(exercise, keys[0])))
    said, named, right, wrong = [], True, [], []
    for name, words in called.items():
        there = [at for at, key in enumerate(keys) if not isinstance(key, dict) or name in key]
        mine, key = [results[at][name] for at in there], [keys[at][name] for at in there]
        if all(map(same, mine, key)):
            right.append(words)
            continue
        wrong.append(words)
        if len(wrong) > _MOST_PARTS:
            continue
        cases = [exercise.cases[at] for at in there]
        part = replace(exercise, answer=_part(exercise.answer, name), cases=cases, mistakes=(), parts=())
        found, good = explain(part, mine, key)
        said.append(f"Of {words}: {found}")
        named = named and good
    if right:
        said.insert(0, f"{_listed(right)} {'is' if len(right) == 1 else 'are'} right.")
    if isinstance(keys[0], dict) and (common := _common(wrong, right)):
        said, named = [f"What has {' and '.join(map(repr, common))} in its name is wrong, and nothing else.", *said], True
    if len(wrong) > _MOST_PARTS:
        said.append(f"Nor {'is' if len(wrong) == _MOST_PARTS + 1 else 'are'} {_listed(wrong[_MOST_PARTS:])} right.")
    return " ".join(said), named


def _common(wrong: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    """One word, or two, that stand in all wrong names together and in no right one: ("bias",); nothing where there are none."""
    if len(wrong) < 2 or not right:
        return ()
    inside = [set(re.findall("[^\\W\\d_]+", name)) for name in (*wrong, *right)]
    shared = sorted(set.intersection(*inside[: len(wrong)]))
    for words in (*combinations(shared, 1), *combinations(shared, 2)):
        if not any(set(words) <= one for one in inside[len(wrong) :]):
            return words
    return ()


def _part(answer: Answer, name: Any) -> Answer:
    @functools.wraps(answer)
    def part(*arguments: Any) -> Any:
        return answer(*arguments)[name]

    return part


# ----------------------------------------------------------------------------------------------------------------- words


def _of_words(exercise: Exercise, results: Sequence[Any], keys: Sequence[Any]) -> Found:
    """Of words: one that is not in the list, always the same, two exchanged."""
    for word in results:
        if exercise.words and word not in exercise.words:
            meant = next(iter(difflib.get_close_matches(word, exercise.words, n=1)), None)
            guess = f"; did you mean {meant}" if meant else ""
            return f'Your result is "{word[:40]}", which is not in the list: {", ".join(exercise.words)}{guess}.'
    if len(results) > 1 and len(set(results)) == 1 and len(set(keys)) > 1:
        return f"Your result is always {results[0]}."
    renamed = dict(zip(keys, results, strict=True))
    if all(renamed[key] == mine for key, mine in zip(keys, results, strict=True)) and len(set(renamed.values())) == len(
        renamed
    ):
        changed = [f"{mine} where {key} is right" for key, mine in renamed.items() if mine != key]
        return f"Your result says {' and '.join(changed)}."
    return None


def _contradicted(exercise: Exercise, results: Sequence[Any], keys: Sequence[Any]) -> str:
    """What speaks against each wrong word."""
    assert exercise.against is not None
    said = []
    for case, mine, key in zip(exercise.cases, results, keys, strict=False):
        if mine != key:
            said.append(f"{exercise.describe(case)}: {exercise.against(mine, *case)}")
    return " ".join(said)


def _first_difference(results: Sequence[Result], keys: Sequence[Result]) -> str:
    """The last resort: where the first wrong case differs most."""
    mine, key = next((mine, key) for mine, key in zip(results, keys, strict=True) if not same(mine, key))
    if isinstance(mine, str) and isinstance(key, str):
        return f"Your result is {mine[:40]} where {key} is right."
    if not isinstance(mine, np.ndarray) or not isinstance(key, np.ndarray):
        return f"Your result is {kind(mine)} where the library's answer is {kind(key)}."
    if mine.shape != key.shape:
        return f"Your result is {kind(mine)} where {kind(key)} is asked for."
    off = np.nan_to_num(np.abs(mine - key), nan=np.inf)
    place = tuple(int(i) for i in np.unravel_index(off.argmax(), off.shape))
    at = f" at {list(place)}" if place else ""
    return f"Your result has {mine[place]:.6g}{at} where the library's answer has {key[place]:.6g}."


def _ordinal(place: int) -> str:
    return ("first", "second", "third", "fourth", "fifth", "sixth")[place] if place < 6 else f"{place + 1}th"


def _listed(names: Sequence[Any]) -> str:
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
