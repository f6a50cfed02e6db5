from dataclasses import fields
from pathlib import Path

from models.settings import KEY_NAMES, Settings, read_settings

NAMES = {field.name: field.name.upper() for field in fields(Settings) if field.name != "has_key"}


def test_each_setting_is_the_variable_of_its_name():
    found = read_settings({name: f"/{name}" for name in NAMES.values()})
    for key, name in NAMES.items():
        assert str(getattr(found, key)) == f"/{name}"


def test_a_variable_that_is_missing_or_empty_leaves_the_default():
    assert read_settings({}) == read_settings(dict.fromkeys(NAMES.values(), "")) == Settings()


def test_the_home_folder_is_absolute():
    assert read_settings({"DOCMILL_HOME": "there"}).home == Path.cwd() / "there"


def test_an_address_is_read_without_what_a_file_puts_around_it():
    assert read_settings({"FRONTIER_BASE_URL": "http://host/v1\n"}) == Settings(
        frontier_base_url="http://host/v1"
    )


def test_of_a_key_is_known_that_there_is_one_and_no_more():
    for name in KEY_NAMES:
        found = read_settings({name: "sk-secret"})
        assert found.has_key
        assert "sk-secret" not in repr(found)
    assert not read_settings(dict.fromkeys(KEY_NAMES, " \n")).has_key
