"""Rosters as sources of CKAN's own harvesting: it asks the worker and reads what became of it; no person comes here.

A harvest object is one delivery, by reference: source, period, and once it is taken in its digest and counts. The
worker may need long, and a queue must not wait for it. So gathering asks and leaves the object open (`FETCH`), in no
queue; whoever looks next (`harvest_jobs_run`: the clock, or `ckan harvester run`) has the stages run of each object
whose answer is there, and closes the job in the same look.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from ckan import model, plugins
from ckan.common import CKANConfig
from ckan.plugins import toolkit
from ckanext.harvest import queue
from ckanext.harvest.interfaces import IHarvester
from ckanext.harvest.model import HarvestGatherError, HarvestJob, HarvestObject, HarvestObjectError, HarvestSource
from ckanext.rnu import cli, harvest_logic, harvest_pages
from ckanext.rnu.institution import ledger

from rnu import announcement
from rnu.errors import RnuError
from rnu.ledger import Receipt, State
from rnu.request import Harvest, ask, receipt_of
from rnu.rule import in_words
from rnu.settings import Period

NAME = harvest_logic.NAME
ENDED = ("COMPLETE", "ERROR")


@toolkit.blanket.actions(harvest_logic.get_actions)
@toolkit.blanket.auth_functions(harvest_logic.get_auth_functions)
@toolkit.blanket.blueprints(harvest_pages.get_blueprints)
@toolkit.blanket.cli(cli.get_commands)
@toolkit.blanket.helpers(harvest_pages.get_helpers)
class RosterHarvester(plugins.SingletonPlugin):
    """Loaded as `rnu_roster`."""

    plugins.implements(plugins.IConfigurer)
    plugins.implements(IHarvester)

    def update_config(self, config: CKANConfig) -> None:
        """The form of a source and the report of a job."""
        # no name that begins with that of another template folder: ckan_extends takes one for the other
        toolkit.add_template_directory(config, "harvest_templates")

    def info(self) -> dict[str, str]:
        """What the form says of it."""
        return {
            "name": NAME,
            "title": "Padrón del RNU",
            "description": "Pide la entrega de un padrón. Se procesa fuera de CKAN; aquí llega solo el informe.",
        }

    def get_original_url(self, harvest_object_id: str) -> str:
        """The owner's report."""
        address: str = toolkit.url_for("rnu_roster.report", id=harvest_object_id, qualified=True)
        return address

    def gather_stage(self, harvest_job: HarvestJob) -> list[str] | None:
        """Ask for the delivery, once for a job; the object stays open until somebody looks for the answer."""
        config = json.loads(harvest_job.source.config or "{}")
        wanted = Harvest(config.get("padron", ""), config.get("periodo") or str(last_month(datetime.now(UTC).date())))
        try:
            if announcement.announced(ledger()).source(wanted.source) is None:
                return _not_gathered(harvest_job, f"El padrón «{wanted.source}» ya no está entre los que hay.")
            found = _object_of(harvest_job, wanted)
            if not ledger().requests(asked_by=_asker(found)):  # a gathering that was killed is done again
                ask(ledger(), wanted, _asker(found))
        except RnuError:
            return _not_gathered(harvest_job, "El libro de registro no responde: se puede intentar más tarde.")
        return []

    def fetch_stage(self, harvest_object: HarvestObject) -> bool | str:
        """Read what the worker answered: taken in, the same as before, or not, each reason being an error of CKAN's."""
        receipt = answered(harvest_object)
        if receipt is None:
            HarvestObjectError.create("Todavía no hay respuesta.", harvest_object, "Fetch")
            return False
        harvest_object.content = json.dumps({"said": receipt.said, **receipt.facts}, ensure_ascii=False)
        harvest_object.save()
        if receipt.state is not State.DONE:
            for message in _errors(receipt):
                HarvestObjectError.create(message, harvest_object, "Fetch")
            return False
        return "unchanged" if receipt.facts.get("state") == "unchanged" else True

    def import_stage(self, harvest_object: HarvestObject) -> bool:
        """Record that the delivery is the source's latest one for its period. It becomes no dataset."""
        model.Session.query(HarvestObject).filter(
            HarvestObject.harvest_source_id == harvest_object.harvest_source_id,
            HarvestObject.guid == harvest_object.guid,
            HarvestObject.id != harvest_object.id,
        ).update({"current": False}, synchronize_session=False)
        harvest_object.current = True
        harvest_object.save()
        return True

    def close_answered(self) -> int:
        """Have the stages run of every open object whose answer is there; how many."""
        waiting = (
            model.Session.query(HarvestObject)
            .join(HarvestSource, HarvestSource.id == HarvestObject.harvest_source_id)
            .filter(HarvestSource.type == NAME, ~HarvestObject.state.in_(ENDED))
        )
        ready = [found for found in waiting.all() if answered(found)]
        for found in ready:
            queue.fetch_and_import_stages(self, found)
            if found.report_status in ("added", "updated"):
                found.report_status = "updated" if _received_before(found) else "added"
                found.save()
        return len(ready)


def last_month(today: date) -> Period:
    """The last month that is over: what a source without a period of its own asks for.

    >>> str(last_month(date(2026, 1, 20)))
    '2025-12'
    """
    return Period(today.year, today.month).minus(1)


def _received_before(found: HarvestObject) -> bool:
    """Whether its roster came for its period before; ckanext-harvest tells that by datasets, and here are none."""
    same = {"harvest_source_id": found.harvest_source_id, "guid": found.guid, "state": "COMPLETE"}
    return bool(HarvestObject.filter(**same).filter(HarvestObject.id != found.id).count())


def answered(harvest_object: HarvestObject) -> Receipt | None:
    """What the worker said of an object's request at its end; nothing as long as it lies there or is under way."""
    asked = ledger().requests(asked_by=_asker(harvest_object))
    receipt = receipt_of(ledger(), asked[-1].id) if asked else None
    return receipt if receipt and receipt.state is not State.TAKEN else None


def _asker(harvest_object: HarvestObject) -> str:
    return f"ckan harvest {harvest_object.id}"


def _object_of(job: HarvestJob, wanted: Harvest) -> HarvestObject:
    """The job's object, made if it is not there; open, and in no queue."""
    found = HarvestObject.filter(harvest_job_id=job.id).first()
    if found is None:
        found = HarvestObject(guid=f"{wanted.source}/{wanted.period}", job=job, state="FETCH")
        found.content = json.dumps({"source": wanted.source, "period": wanted.period})
        found.save()
    return found


def _not_gathered(job: HarvestJob, message: str) -> None:
    HarvestGatherError.create(message, job)


def _errors(receipt: Receipt) -> list[str]:
    """What is said of it, the reason, and one line for each broken rule."""
    facts = receipt.facts
    reason = [facts["rejected"]] if facts.get("rejected") else []
    rules = [
        f"{rule['field'] or 'La fila'}: {in_words(rule['rule'], rule['detail'])} ({rule['rows']})"
        for rule in facts.get("rules", [])
    ]
    return [receipt.said, *reason, *rules]
