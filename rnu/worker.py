"""The worker: takes what was asked for in the ledger, does it, and says there what became of it.

It alone has the deliveries, the rosters and the keys; whoever asks, and be it a portal that was broken into, can make
it do what stands in `HANDLERS` and nothing else. A request that it was ended in the middle of is open still, and the
next worker takes it up: every step it calls goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from threading import Event
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anonymize.pseudonym import Key
from rnu import announcement, report, request, review, stewards
from rnu.errors import (
    Busy,
    DisclosureRisk,
    PortalRefused,
    ReviewRequired,
    RnuError,
    RosterRejected,
    SettingsError,
    SourceUnavailable,
    StoreError,
    Why,
    unexpected,
)
from rnu.foresight.look import summary
from rnu.institution import Institution
from rnu.ledger import Delivery, Intake, Ledger, Request, State
from rnu.pipeline import Say, Step, build_is_due, run_build, take_in_source
from rnu.publication import publish
from rnu.publish import words
from rnu.request import Approve, Build, Harvest, Passkey, Publish, Return, What
from rnu.settings import Period
from rnu.signing import Role, known

PAUSE = 2.0  # seconds between two looks at the ledger
TRIES = 5  # a request that so many attempts did not bring to an end is answered with that
ITSELF = "rnu worker"


@dataclass(frozen=True, slots=True)
class Bench:
    """What a handler works with, opened afresh for each request, so that a changed configuration counts."""

    institution: Institution
    key: Key = field(repr=False)
    signing_key: Ed25519PrivateKey = field(repr=False)
    today: date
    say: Say


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes a receipt: a sentence in Spanish, and facts that the desk may read."""

    said: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.DONE


Handler = Callable[[Bench, Any, Request], Answer]  # the request once in its type and once as it stands in the ledger


# --- what it can do ----------------------------------------------------------------------------------------------


def harvest(bench: Bench, what: Harvest, asked: Request) -> Answer:
    """Bring in, check and take in one source's delivery; ask for the period's build if it was the last one missing."""
    institution = bench.institution
    source, period = institution.settings.source(what.source), Period.parse(what.period)
    try:
        intake, new = take_in_source(institution, source, period, bench.key, bench.say)
    except RosterRejected:
        intake = institution.ledger.intakes(str(period))[source.id]
        said = f"{source.title}: la entrega se devuelve a su responsable ({source.owner})."
        return Answer(said, _facts(institution.ledger, intake, "returned"), State.REFUSED)
    if build_is_due(institution, period) and not _is_asked_for(institution.ledger, Build(str(period))):
        request.ask(institution.ledger, Build(str(period)), ITSELF)
    # or taken in by a worker that was ended before it could say so: moments are whole seconds and do not tell alone
    new = new or (len(institution.ledger.receipts(asked.id)) > 1 and intake.at >= asked.at)
    said = f"{source.title}: {'entrega recibida' if new else 'sin cambios desde la última vez'}."
    return Answer(said, _facts(institution.ledger, intake, "new" if new else "unchanged"))


def _is_asked_for(ledger: Ledger, what: Build) -> bool:
    return any(r.what == dataclasses.asdict(what) for r in request.open_requests(ledger, Build))


def _facts(ledger: Ledger, intake: Intake, state: str) -> dict[str, Any]:
    """Counts of an intake, and the text of each broken rule: no row, no value."""
    facts = {
        "state": state,
        "source": intake.source,
        "period": intake.period,
        "cut": intake.cut,
        "digest": intake.digest,
        "same_as": ledger.same_elsewhere(Delivery(intake.source, intake.cut, intake.digest, (), {})),
    }
    found = report.parse(intake.report)
    if isinstance(found, report.Refusal):
        return facts | {"rejected": found.rejected}
    check = found.check
    rules = [
        {"field": b.field, "rule": b.rule, "detail": b.detail, "rows": b.rows} for b in (*check.header, *check.broken)
    ]
    counted = {"rows": check.rows, "set_aside": check.set_aside, "tolerance": check.tolerance}
    return facts | counted | {"roster": found.roster_rows, "rules": rules}


def build(bench: Bench, what: Build, _: Request) -> Answer:
    """Build a period's release, if its quorum is in or a steward says go."""
    outcome = run_build(
        bench.institution,
        Period.parse(what.period),
        bench.key,
        bench.signing_key,
        bench.say,
        today=bench.today,
        go=what.go,
    )
    if outcome.release is None:
        titles = ", ".join(bench.institution.settings.source(s).title for s in outcome.waiting_for)
        said = f"{what.period} no se construye todavía. Faltan: {titles or 'todos los padrones'}."
        return Answer(said, {"period": what.period, "waiting_for": list(outcome.waiting_for)}, State.REFUSED)
    release = outcome.release
    facts = {"period": release.period, "revision": release.revision, "digest": release.digest, "new": outcome.new}
    word = "construida: espera la decisión de un responsable" if outcome.new else "estaba construida: nada cambió"
    return Answer(f"Publicación de {words.month_of(release.period)}, revisión {release.revision}, {word}.", facts)


def publish_portals(bench: Bench, what: Publish, _: Request) -> Answer:
    """Show what is approved on a portal, or on all of them."""
    opened = bench.institution
    wanted = [opened.settings.portal(what.portal)] if what.portal else list(opened.settings.portals)
    done = [publish(opened.settings, opened.store, opened.ledger, portal) for portal in wanted]
    facts = {p.portal: {"releases": list(p.releases), "changed": p.outcome.changed} for p in done}
    changed = any(p.outcome.changed for p in done)
    return Answer("Publicado." if changed else "El portal ya mostraba todo lo aprobado.", {"portals": facts})


def decide(bench: Bench, what: Approve | Return, _: Request) -> Answer:
    """Take a steward's word on a release if a confirmed passkey signed it; the account that asks counts for nothing."""
    opened = bench.institution
    role = Role.APPROVE if isinstance(what, Approve) else Role.RETURN
    release = review.find(opened.ledger, what.digest)
    with opened.store.locked():  # two words on one release are each bound to the one before: one after the other
        decision, new = review.decide_by_passkey(
            opened.settings, opened.store, opened.ledger, release, role, what.assertion, what.note, today=bench.today
        )
    person = known(decision.signature.public_key, opened.settings.stewards)
    word = "aprobada" if role is Role.APPROVE else "devuelta"
    facts = {"digest": release.digest, "role": role, "steward": person.name, "new": new}
    said = f"Publicación de {words.month_of(release.period)}, revisión {release.revision}: {word} por {person.name}."
    if role is Role.APPROVE and not summary(opened.store, opened.ledger, release).stands:
        return Answer(f"{said} {IN_SPITE_OF_IT}", facts)
    return Answer(said, facts)


def register_passkey(bench: Bench, what: Passkey, _: Request) -> Answer:
    """Look at a passkey that was registered at a desk; it signs nothing until somebody on this side confirms it."""
    made = stewards.receive(bench.institution.settings, what)
    said = "Llave recibida. No firma nada hasta que quien administra el registro la confirme con la huella."
    return Answer(said, stewards.facts_of(made, confirmed=False))


HANDLERS: Mapping[type[What], Handler] = {
    Approve: decide,
    Return: decide,
    Passkey: register_passkey,
    Harvest: harvest,
    Build: build,
    Publish: publish_portals,
}


# --- taking and answering ----------------------------------------------------------------------------------------


def work(open_bench: Callable[[], Bench], *, once: bool, stopping: Event, pause: float = PAUSE) -> int:
    """Answer requests until there are none (`once`), or until it is told to stop; how many were answered.

    What hinders every request alike (the disk, the ledger, another run on the institution) is told and waited out.
    """
    bench = open_bench()
    announcement.announce(bench.institution.ledger, bench.institution.settings)
    answered = 0
    while not stopping.is_set():
        try:
            at_work = work_off_one(bench.institution, open_bench, stopping, bench.say)
        except (StoreError, Busy) as error:
            bench.say(Step("problem", ITSELF, problem=str(error)))
            stopping.wait(pause if isinstance(error, Busy) else 15 * pause)  # a disk or a database takes its time
            continue
        answered += at_work
        if not at_work:
            if once:
                break
            stopping.wait(pause)
    return answered


def work_off_one(institution: Institution, open_bench: Callable[[], Bench], stopping: Event, say: Say) -> bool:
    """Answer the oldest request that nobody is at; whether there was one.

    Raises Busy while another run is at work on the institution: the request stays as it is.
    """
    if not institution.ledger.open_requests():
        return False
    with institution.store.locked():
        pass
    with request.take(institution.ledger) as taken:
        if taken is None:
            return False
        answer = _answer(taken, institution.ledger, open_bench)
        if stopping.is_set() and answer.state is not State.DONE:
            return False  # what went wrong was the stopping: the next worker takes it up
        request.answer(institution.ledger, taken.id, answer.state, answer.said, answer.facts)
        say(Step("answer", taken.kind, facts={"request": taken.id, "state": answer.state}))
        return True


def _answer(taken: Request, ledger: Ledger, open_bench: Callable[[], Bench]) -> Answer:
    """Do what was asked; what cannot be done becomes an answer, too, but for what hinders every request alike."""
    if len(ledger.receipts(taken.id)) > TRIES:
        said = f"Este pedido no llegó a su fin en {TRIES} intentos: lo revisa quien administra la máquina."
        return Answer(said, {}, State.FAILED)
    try:
        what = request.what(taken)
        if type(what) not in HANDLERS:
            raise SettingsError("this worker does nothing of the kind", where=f"request {taken.id}")
        bench = open_bench()
        announcement.announce(ledger, bench.institution.settings)
        return HANDLERS[type(what)](bench, what, taken)
    except (StoreError, Busy):
        raise
    except RnuError as error:
        return told(error)
    except Exception as error:
        return told(unexpected(error))


def told(error: RnuError) -> Answer:
    """An error as whoever asked may read it. What could give a person away is named on the worker's side only."""
    state = State.FAILED if isinstance(error, SourceUnavailable | PortalRefused) else State.REFUSED
    if type(error) is RnuError:
        state = State.FAILED
    facts = {"error": {"kind": type(error).__name__} if isinstance(error, DisclosureRisk) else error.as_json()}
    said = next((words for kind, words in SAID.items() if isinstance(error, kind)), UNFORESEEN)
    if isinstance(error, ReviewRequired):
        said = NOT_TAKEN.get(error.why, said)
    return Answer(said, facts, state)


IN_SPITE_OF_IT = (
    "Atención: junto con lo ya publicado deja deducir algo de pocas personas. "
    "Mientras no se publique, se puede devolver."
)
UNFORESEEN = "Ocurrió algo que nadie previó: lo revisa quien administra el sistema."
SAID: Mapping[type[RnuError], str] = {
    SettingsError: "La configuración, o lo que se pidió, no es correcto: lo corrige quien administra el registro.",
    SourceUnavailable: "La entrega no está todavía, o su fuente no responde: se puede pedir de nuevo más tarde.",
    RosterRejected: "La entrega se devuelve a su responsable.",
    DisclosureRisk: "Una tabla podría delatar a una persona: nada se construye hasta que su diseño muestre menos.",
    ReviewRequired: "Falta una firma válida, o lo que se firmó no es lo que hay.",
    PortalRefused: "El portal no recibió la publicación completa: publicar de nuevo la termina.",
}
NOT_TAKEN: Mapping[Why, str] = {
    Why.UNREGISTERED: "La llave no está confirmada, o no vale en esta fecha: la confirma quien administra el registro.",
    Why.SAME_PERSON: "Quien construyó una publicación no la puede aprobar: pida a otra persona que la revise y firme.",
    Why.FORGED: "La firma no corresponde a esta publicación, a este motivo o a este momento, y no se aceptó. Mire la "
    "página otra vez y firme de nuevo; si usted no firmó nada, avise: alguien envió este pedido en su nombre.",
    Why.OVERTAKEN: "Alguien decidió sobre esta publicación mientras tanto: mire la página otra vez antes de firmar.",
    Why.REPLACED: "Una construcción posterior reemplaza a esta: revise la última.",
    Why.CHANGED: "Algún archivo ya no es el que se selló: no se puede aprobar. Lo revisa quien administra la máquina.",
    Why.NO_REASON: "Una publicación se devuelve con su motivo: escríbalo en la nota.",
    Why.GIVES_AWAY: "Junto con lo ya publicado, esta publicación deja deducir algo de pocas personas. Para aprobarla, "
    "diga en la nota por qué se acepta; si no, devuélvala.",
    Why.UNKNOWN: "No hay una publicación con esa huella.",
}
