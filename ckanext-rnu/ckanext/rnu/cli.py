"""`ckan rnu-harvest`: the processes of harvesting, each for as long as it lives."""

from __future__ import annotations

from collections.abc import Callable

import click
import sqlalchemy as sa
from ckan import model
from ckan.lib.search import SearchError
from ckan.plugins import toolkit
from ckanext.harvest import queue
from ckanext.rnu.clock import again_and_again
from redis.exceptions import RedisError

EVERY = 5.0  # seconds between two looks


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
    consume(queue.get_gather_consumer(), queue.get_gather_queue_name(), queue.gather_callback)


@harvest.command("fetch")
def fetch() -> None:
    """Fetch and import objects from their queue.

    \b
    Example:
      ckan rnu-harvest fetch
    """
    consume(queue.get_fetch_consumer(), queue.get_fetch_queue_name(), queue.fetch_callback)


def consume(consumer: queue.RedisConsumer, name: str, answer: Callable[..., None]) -> None:
    """Answer each message of a queue, and wait for the next for as long as it takes.

    redis-py 8 gives up every answer after some seconds unless told otherwise, and ckanext-harvest 1.6.3 waits for a
    message without end (BLPOP): both are right, and together the consumer dies of an empty queue.
    """
    consumer.redis.connection_pool.connection_kwargs["socket_timeout"] = None
    for method, header, body in consumer.consume(name):
        answer(consumer, method, header, body)


@harvest.command("clock")
@click.option("--every", default=EVERY, show_default=True, help="Seconds between two looks.")
@click.pass_context
def clock(ctx: click.Context, every: float) -> None:
    """Start jobs that are due, and close those that ended, again and again.

    \b
    Example:
      ckan rnu-harvest clock --every 60
    """
    away = (sa.exc.DBAPIError, SearchError, RedisError)
    again_and_again(ctx.meta["flask_app"], run_jobs, every, away=away)


def run_jobs() -> None:
    """What `ckan harvester run` does."""
    user = toolkit.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
    toolkit.get_action("harvest_jobs_run")({"user": user, "model": model, "session": model.Session}, {})
