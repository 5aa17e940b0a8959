"""The queue of jobs and what became of each file, so that a restart goes on where the last run was."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from speechsearch.store.database import Database, upsert
from speechsearch.store.records import ENDED, Job, JobFile, JobState
from speechsearch.store.rows import checked_name, checked_text
from speechsearch.store.tables import JobFileRow, JobRow

COLUMNS = tuple(getattr(JobRow, one.name) for one in fields(Job))
WITHOUT_TASK = tuple(sa.literal("{}") if column is JobRow.task else column for column in COLUMNS)
"""A task of thousands of files has megabytes, and lists of jobs are asked for every second."""
FILE_COLUMNS = tuple(getattr(JobFileRow, one.name) for one in fields(JobFile))
LARGEST_TASK = 4_000_000
LONGEST_FILE_NAME = 500


def time_ago(seconds: float = 0.0) -> str:
    """Return a time before the present one as the store keeps it: UTC in ISO 8601, to be compared as text.

    >>> time_ago(60) < time_ago()
    True
    """
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="microseconds")


class Jobs:
    """The jobs of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job) -> Job:
        """Write a new job and return it with its times.

        Raises:
            InputError: text that cannot be kept.
        """
        time = time_ago()
        job = replace(job, created_at=time, updated_at=time)
        row = {one.name: getattr(job, one.name) for one in fields(Job)}
        row["task"] = checked_text(json.dumps(job.task), "task", LARGEST_TASK)
        for name in ("job_id", "visitor_id", "kind"):
            checked_name(row[name], name.replace("_", " "))
        with self._database.writing() as connection:
            connection.execute(sa.insert(JobRow).values(row))
        return job

    def get(self, job_id: str) -> Job | None:
        """Return a job without its task, None when there is none of that id."""
        return self._one(WITHOUT_TASK, job_id)

    def with_task(self, job_id: str) -> Job | None:
        """Return a job with what is to be done, None when there is none of that id."""
        return self._one(COLUMNS, job_id)

    def _one(self, columns: Sequence[Any], job_id: str) -> Job | None:
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*columns).where(JobRow.job_id == job_id)).first()
        return None if row is None else _job(row)

    def find(self, visitor_id: str | None = None, states: Collection[JobState] = ()) -> list[Job]:
        """Return the jobs (of one visitor, in some states) in the order in which they came; their tasks left out."""
        statement = sa.select(*WITHOUT_TASK).order_by(JobRow.created_at, JobRow.job_id)
        if visitor_id is not None:
            statement = statement.where(JobRow.visitor_id == visitor_id)
        if states:
            statement = statement.where(JobRow.state.in_(states))
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(statement)]

    def count(self, visitor_id: str, since: str) -> int:
        """Return how many jobs a visitor has added since a time (see ``time_ago``)."""
        statement = sa.select(sa.func.count()).where(JobRow.visitor_id == visitor_id, JobRow.created_at >= since)
        with self._database.reading() as connection:
            return connection.scalar(statement) or 0

    def counts(self) -> dict[str, int]:
        """Return state -> how many jobs are in it, of the states that some are in."""
        statement = sa.select(JobRow.state, sa.func.count()).group_by(JobRow.state)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def set_state(self, job_id: str, state: JobState, message: str = "") -> None:
        """Write how far a job is; an empty message leaves the known one. An unknown job is no error."""
        values: dict[str, str] = {"state": state, "updated_at": time_ago()}
        if message:
            values["message"] = checked_text(message, "message")
        if state in ENDED:
            values["task"] = "{}"  # it names what was taken in and is needed no more
        with self._database.writing() as connection:
            connection.execute(sa.update(JobRow).where(JobRow.job_id == job_id).values(values))

    def count_crash(self, job_id: str) -> int:
        """Write down that a process ended while it did a job, and return how many have now."""
        with self._database.writing() as connection:
            mine = JobRow.job_id == job_id
            connection.execute(sa.update(JobRow).where(mine).values(crashes=JobRow.crashes + 1))
            return connection.scalar(sa.select(JobRow.crashes).where(mine)) or 0

    def delete(self, job_id: str) -> None:
        """Delete a job with its files' results; an unknown one is no error."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(JobRow).where(JobRow.job_id == job_id))

    def set_file(self, job_id: str, file: JobFile) -> None:
        """Write what became of a file; one that an earlier run of the job has taken in stays so."""
        name = checked_text(file.name, "file name", LONGEST_FILE_NAME + 100)
        row: dict[str, Any] = {one.name: getattr(file, one.name) for one in fields(JobFile)}
        row |= {"job_id": job_id, "message": checked_text(file.message, "message")}
        mine = (JobFileRow.job_id == job_id) & (JobFileRow.name == name)
        with self._database.writing() as connection:
            before = connection.scalar(sa.select(JobFileRow.state).where(mine))
            if not (before in ("indexed", "updated") and file.state in ("unchanged", "duplicate")):
                upsert(connection, JobFileRow, row)

    def files(self, job_id: str) -> list[JobFile]:
        """Return what became of a job's files, by name."""
        statement = sa.select(*FILE_COLUMNS).where(JobFileRow.job_id == job_id).order_by(JobFileRow.name)
        with self._database.reading() as connection:
            return [JobFile(*row) for row in connection.execute(statement)]


def _job(row: Any) -> Job:
    """Return the job of a row, columns in the order of ``COLUMNS``."""
    job_id, visitor_id, kind, collection, task, *rest = row
    return Job(job_id, visitor_id, kind, collection, json.loads(task), *rest)
