"""The desk is told how much a release gives away together with earlier ones, as anybody finds who has the files."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The desk's view of releases again, with one more of their facts."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(
        """create or replace view desk.release as
        select id, at, period, revision, digest, fingerprint, public_key, signature,
            json_build_object(
                'programmes', facts -> 'programmes', 'missing', facts -> 'missing', 'foresight', facts -> 'foresight'
            ) as facts
        from public.release"""
    )
