"""`ckan rnu-harvest`: the processes of harvesting, each for as long as it lives."""

from __future__ import annotations

import logging
import time

import click
import sqlalchemy as sa
from ckan import model
from ckan.lib.search import SearchError
from ckan.plugins import toolkit
from ckanext.harvest import queue
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
EVERY = 15.0  # seconds between two looks


def get_commands() -> list[click.Group]:
    """For CKAN's command line."""
    return [harvest]


@click.group("rnu-harvest")
def harvest() -> None:
    """Run the processes of harvesting.

    \b
    Example:
      ckan rnu-harvest clock
    """


@harvest.command("gather")
def gather() -> None:
    """Gather jobs from their queue.

    \b
    Example:
      ckan rnu-harvest gather
    """
    consumer = patient(queue.get_gather_consumer())
    for method, header, body in consumer.consume(queue.get_gather_queue_name()):
        queue.gather_callback(consumer, method, header, body)


@harvest.command("fetch")
def fetch() -> None:
    """Fetch and import objects from their queue.

    \b
    Example:
      ckan rnu-harvest fetch
    """
    consumer = patient(queue.get_fetch_consumer())
    for method, header, body in consumer.consume(queue.get_fetch_queue_name()):
        queue.fetch_callback(consumer, method, header, body)


def patient(consumer: queue.RedisConsumer) -> queue.RedisConsumer:
    """Let a consumer wait for its next message for as long as it takes.

    redis-py 8 gives up every answer after some seconds unless told otherwise, and ckanext-harvest 1.6.3 waits for a
    message without end (BLPOP): both are right, and together the consumer dies of an empty queue.
    """
    consumer.redis.connection_pool.connection_kwargs["socket_timeout"] = None
    return consumer


@harvest.command("clock")
@click.option("--every", default=EVERY, show_default=True, help="Seconds between two looks.")
@click.pass_context
def clock(ctx: click.Context, every: float) -> None:
    """Start jobs that are due, and close those that ended, again and again.

    \b
    Example:
      ckan rnu-harvest clock --every 60
    """
    while True:
        with ctx.meta["flask_app"].test_request_context():
            look()
        time.sleep(every)


def look() -> None:
    """One look. A service that is away for a moment is told in the log, and asked again at the next."""
    try:
        user = toolkit.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
        toolkit.get_action("harvest_jobs_run")({"user": user, "model": model, "session": model.Session}, {})
    except (sa.exc.DBAPIError, SearchError, RedisError) as error:
        log.warning("harvest jobs were not looked at: %s", type(error).__name__)
    finally:
        model.Session.remove()
