"""The clinic: one planted line a patient, symptoms that are kept as they are measured, and contradictions that are true."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minifcn.course.clinic import charts, procedure
from minifcn.course.clinic.illnesses import ILLNESSES, NAMES, against
from minifcn.course.exercises.lesson_18 import cure_average, cure_colours, cure_crop, cure_rate

WRONG = [(number, name) for number, right in charts.PATIENTS.items() for name in NAMES if name != right]


def test_ten_patients_and_sixteen_names():
    assert len(charts.PATIENTS) == len(set(charts.PATIENTS.values())) == 10
    assert len(NAMES) == 16
    assert len(WRONG) == 150


@pytest.mark.parametrize("name", NAMES)
def test_each_differs_from_the_healthy_one_by_one_part(name):
    parts = ILLNESSES[name].parts
    assert len(parts) == 1
    assert set(parts) <= set(procedure.PARTS)


@pytest.mark.parametrize("number", charts.PATIENTS)
def test_all_signs_of_the_right_name_are_on_the_chart(number):
    assert against(charts.PATIENTS[number], charts.chart(number)) == ""


@pytest.mark.parametrize(("number", "name"), WRONG)
def test_a_wrong_name_is_contradicted_by_a_measurement_on_the_chart(number, name):
    said = against(name, charts.chart(number))
    assert said.startswith(f"If it were {name}, ")
    expected, measured = said.split("; here ")
    assert expected
    assert any(letter.isdigit() for letter in measured) or "no number" in measured
    sign = next(sign for sign in ILLNESSES[name].signs if not sign.holds(charts.chart(number)))
    assert sign.measured(charts.chart(number)) in said
    assert sign.holds(charts.chart({right: k for k, right in charts.PATIENTS.items()}.get(name, number))) or name not in (
        charts.PATIENTS.values()
    )


def test_a_healthy_network_has_no_illness_of_the_list():
    for name in NAMES:
        assert against(name, charts.chart(0)), name


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_trained_again_each_of_the_sixteen_shows_its_signs_and_no_others(seed):
    for name, illness in ILLNESSES.items():
        found = charts.patient(illness.parts, seed)
        assert [other for other in NAMES if not against(other, found)] == [name]
        if seed == 0 and name in charts.PATIENTS.values():
            kept = charts.chart({right: number for number, right in charts.PATIENTS.items()}[name])
            assert found.mean_iu == pytest.approx(kept.mean_iu, abs=0.01)
            assert found.reported == pytest.approx(kept.reported, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "cure"), [(4, cure_colours), (5, cure_rate), (6, cure_crop), (8, cure_average)])
def test_a_cure_heals(number, cure):
    assert charts.treated(number, cure).reported >= charts.HEALED


def test_the_drawn_patient_is_the_same_for_the_same_seed(monkeypatch):
    seen = []
    monkeypatch.setattr(charts, "patient", lambda parts, seed: seen.append((sorted(parts), seed)))
    names = [charts.drawn(seed)[0] for seed in (7, 7, 8, 9, 10, 11, 12)]
    assert names[0] == names[1]
    assert len(set(names)) > 3
    assert seen[0] == seen[1]
    assert seen[1] != seen[2]


def test_the_kept_charts_are_small_and_complete():
    kept = json.loads(charts.FILE.read_text(encoding="utf-8"))
    assert set(kept) == {str(number) for number in range(11)}
    assert charts.FILE.stat().st_size < 200_000
    with pytest.raises(ValueError, match="there is no patient 11; choose one of 1 to 10"):
        charts.chart(11)


def test_the_average_by_picture_is_lower_only_where_classes_are_absent():
    whole = np.array([[[5, 1], [1, 3]], [[5, 1], [1, 3]]])
    part = ILLNESSES["averaged by picture"].parts["average"]
    assert part(whole) == pytest.approx(procedure.average(whole))
    absent = np.array([[[8, 0], [0, 0]], [[4, 0], [0, 4]]])
    assert part(absent) == pytest.approx(0.75)
    assert procedure.average(absent) == 1


def test_moved_masks_fit_where_they_have_been_moved_from():
    labels = np.zeros((1, 12, 14), np.uint8)
    labels[0, 4:9, 5:10] = 2
    said = np.roll(labels, (-2, 1), axis=(1, 2))
    shifts = [[procedure._moved(labels, said, down, right) for right in procedure.SHIFTS] for down in procedure.SHIFTS]
    row, column = np.unravel_index(int(np.argmax(shifts)), (7, 7))
    assert (procedure.SHIFTS[row], procedure.SHIFTS[column]) == (2, -1)
