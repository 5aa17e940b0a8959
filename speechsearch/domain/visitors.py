"""Who asks, and what they may see and change.

A collection belongs to everybody, or to one visitor; then its name in the store begins with that visitor's id. So a
private collection needs no table of its own, and two visitors may both have "my recordings".
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at one of the doors.

    ``visitor_id`` is a random number from a cookie, or the name of a person who has logged in. ``is_owner``: may change
    what belongs to everybody. ``may_add``: may add recordings. ``sees_all``: the person at the machine itself.
    ``address``: where the request came from, by which those are counted who come with a new cookie each time.
    """

    visitor_id: str
    is_owner: bool = False
    may_add: bool = False
    sees_all: bool = False
    address: str = field(default="", compare=False, repr=False)

    def sees(self, collection: str) -> bool:
        """Say whether the visitor may find what is in a collection.

        >>> Visitor("ann").sees("talks"), Visitor("ann").sees("@ann/notes"), Visitor("bob").sees("@ann/notes")
        (True, True, False)
        """
        return self.sees_all or owner_of(collection) in ("", self.visitor_id)

    def may_change(self, collection: str) -> bool:
        """Say whether the visitor may rename, extend or delete a collection.

        >>> Visitor("ann", may_add=True).may_change("@ann/notes"), Visitor("ann", may_add=True).may_change("talks")
        (True, False)
        """
        if self.sees_all:
            return True
        return self.may_add and (self.is_owner if owner_of(collection) == "" else self.sees(collection))


LOCAL = Visitor("local", is_owner=True, may_add=True, sees_all=True)
"""The person at the command line."""


def private(name: str, visitor_id: str) -> str:
    """Return the name in the store of a visitor's own collection.

    >>> private("notes", "ann")
    '@ann/notes'
    """
    return f"@{visitor_id}/{name}"


def owner_of(collection: str) -> str:
    """Return the id of the visitor whose collection this is; empty when it is everybody's.

    >>> owner_of("@ann/notes"), owner_of("talks")
    ('ann', '')
    """
    return collection[1:].partition("/")[0] if collection.startswith("@") else ""


def shown_name(collection: str) -> str:
    """Return a collection's name as people see it.

    >>> shown_name("@ann/notes/2024"), shown_name("talks")
    ('notes/2024', 'talks')
    """
    return collection.partition("/")[2] if collection.startswith("@") else collection
