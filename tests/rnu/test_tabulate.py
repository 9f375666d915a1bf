"""Every table is protected with a secret of its own, in whatever process, and comes back with its proof."""

from __future__ import annotations

from anonymize.certificate import check
from rnu.tabulate import Task, protect_all
from tests.anonymize.test_secure import POLICY, country


def test_tables_come_back_in_order_each_with_its_proof_and_its_own_choice():
    todo = [Task("cubo", f"programa{i}", country(9, 6.0), POLICY, bytes([i]) * 32) for i in range(6)]
    done = list(protect_all(todo))
    assert [task.programme for task, _ in done] == [task.programme for task in todo]
    assert all(check(made.safe, made.certificate).problems == () for _, made in done)
    assert len({made.safe.marks.tobytes() for _, made in done}) > 1
    again = list(protect_all(todo[:1]))
    assert again[0][1].safe.marks.tobytes() == done[0][1].safe.marks.tobytes()


def test_a_secret_stands_in_no_words():
    assert "cafe" not in repr(Task("cubo", "programa", country(3), POLICY, b"cafe" * 8))
