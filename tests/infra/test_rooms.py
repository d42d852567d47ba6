"""The picture of the rooms in docs/architecture.md shows the imports as they are."""

from scripts import rooms


def test_the_picture_shows_the_imports_as_they_are():
    page = rooms.PAGE.read_text()
    assert page.count(rooms.BEGIN) == page.count(rooms.END) == 1
    assert rooms.placed(page, rooms.picture(rooms.arrows())) == page, "`make rooms` draws it anew"


def test_no_room_reaches_itself():
    found = rooms.arrows()
    assert [room for room in found if room in rooms.below(found, room)] == []


def test_only_arrows_without_a_longer_way_are_drawn():
    found = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert rooms.reduced(found) == {"a": {"b"}, "b": {"c"}, "c": set()}
    assert rooms.picture(found) != rooms.picture({**found, "c": {"d"}})


def test_the_picture_is_put_between_its_marks():
    page = f"before\n{rooms.BEGIN}old\n{rooms.END}after\n"
    assert rooms.placed(page, "new\n") == f"before\n{rooms.BEGIN}new\n{rooms.END}after\n"
