"""What a page can do, a program can: a table, walked against the app's routes. Whoever adds a page adds a line."""

from __future__ import annotations

from litestar import Litestar

from pinguin.web import gate
from pinguin.web.api.routes import operations
from tests.web.pages import routes

SIGNING_IN = "how a person signs in, that person changes, signed in"
LOOK = "a form, or a piece of a page, that a program has no use for"

TWINS: dict[str, str] = {
    "dashboard.show_dashboard": "show_summary",
    "dashboard.live_dashboard": "show_summary",
    "dashboard.poll_dashboard": "show_summary",
    "listing.show_list": "list_monitors",
    "listing.save_view": "save_view",
    "listing.begin_with": "begin_with_view",
    "listing.delete_view": "delete_view",
    "live.live_list": "list_monitors",
    "live.poll_list": "list_monitors",
    "live.live_monitor": "show_monitor",
    "live.poll_monitor": "show_monitor",
    "bulk.change_many": "pause_monitors resume_monitors delete_monitors",
    "bulk.edit_many": "edit_monitors",
    "bulk.undo": "undo_change",
    "editing.create": "create_monitor",
    "editing.edit": "replace_monitor change_monitor",
    "editing.try_out": "try_monitor",
    "monitor.show_monitor": "show_monitor show_uptime list_incidents",
    "monitor.show_chart": "list_results list_hours list_days",
    "monitor.show_days": "list_uptime_days",
    "monitor.show_hours": "list_uptime_hours",
    "monitor.check_now": "check_monitor",
    "monitor.pause": "pause_monitor",
    "monitor.resume": "resume_monitor",
    "monitor.delete": "delete_monitor",
    "results.show_results": "list_results",
    "results.download_csv": "download_results",
    "results.download_json": "download_results",
    "pings.show_pings": "list_pings",
    "pings.show_body": "show_ping_body",
    "pings.rotate": "make_address show_address",
    "badges.show_badges": "show_badge_link",
    "badges.open_badges": "open_badge_link",
    "badges.close_badges": "close_badge_link",
    "incidents.show_incidents": "list_incidents",
    "incidents.export_csv": "download_incidents",
    "incidents.export_json": "download_incidents",
    "incidents.acknowledge_many": "acknowledge_incidents",
    "incident.show_incident": "show_incident",
    "incident.incident_news": "show_incident",
    "incident.acknowledge": "acknowledge_incident",
    "incident.take_back": "take_back_incident",
    "incident.snooze": "snooze_incident",
    "incident.wake": "wake_incident",
    "incident.comment": "comment_incident",
    "incident.resolve": "resolve_incident",
    "incident.write_postmortem": "write_postmortem",
    "maintenance.show_maintenance": "list_maintenance list_past_windows",
    "maintenance.start": "start_maintenance",
    "maintenance.end": "end_maintenance",
    "maintenance.extend": "extend_maintenance",
    "maintenance.delete": "delete_maintenance",
    "maintenance_editing.create": "create_maintenance",
    "maintenance_editing.edit": "replace_maintenance change_maintenance",
    "maintenance_editing.preview": "preview_maintenance",
    "channels.show_channels": "list_channels list_groups",
    "channels.try_saved": "test_channel",
    "channels.switch_on": "switch_channel_on",
    "channels.switch_off": "switch_channel_off",
    "channels.try_again": "retry_channel",
    "channels.delete": "delete_channel",
    "channels.create_group": "create_group",
    "channels.edit_group": "replace_group",
    "channels.delete_group": "delete_group",
    "channel_editing.create": "create_channel",
    "channel_editing.edit": "replace_channel change_channel",
    "channel_editing.try_out": "try_channel",
    "channel_editing.preview": "preview_templates",
    "messages.show_all": "list_messages list_waiting",
    "messages.show_channel": "list_messages list_waiting",
    "people.show_people": "list_people",
    "people.invite": "invite_person",
    "people.new_link": "make_link",
    "people.change_role": "change_person",
    "people.turn_off": "turn_second_factor_off",
    "people.remove": "remove_person",
    "audit.show_audit": "list_audit",
    "audit.download_csv": "list_audit",
    "audit.download_json": "list_audit",
    "account.show_account": "list_tokens show_me",
    "tokens.revoke_token": "revoke_token",
    "sql.ask": "query",
    "sql.download_csv": "query",
    "sql.download_json": "query",
}
"""Handler of a page → operations."""

ALONE: dict[str, str] = {
    "accounts.sign_out": SIGNING_IN,
    "account.change_password": SIGNING_IN,
    "account.show_second_factor": SIGNING_IN,
    "account.turn_on": SIGNING_IN,
    "account.turn_off": SIGNING_IN,
    "account.new_recovery_codes": SIGNING_IN,
    "account.end_session": SIGNING_IN,
    "account.end_other_sessions": SIGNING_IN,
    "account.end_all_sessions": SIGNING_IN,
    "tokens.create_token": "a token is made by somebody who proves who they are, not by another token",
    "api_page.show_api": "the same, for programs, is openapi.json",
    "sql.show_sql": "the same, for programs, is in the database: its views and columns have comments",
    "editing.show_new": LOOK,
    "editing.show_edit": LOOK,
    "editing.change_type": LOOK,
    "monitor.show_delete": LOOK,
    "maintenance.show_delete": LOOK,
    "maintenance_editing.show_new": LOOK,
    "maintenance_editing.show_edit": LOOK,
    "maintenance_editing.pick": LOOK,
    "channels.show_delete": LOOK,
    "channels.show_delete_group": LOOK,
    "channel_editing.show_new": LOOK,
    "channel_editing.show_edit": LOOK,
    "people.show_remove": LOOK,
}
"""Handlers of pages that have no twin, and why."""


def pages(app: Litestar) -> set[str]:
    """The handlers behind the sign-in, by module and name."""
    found = [each.fn for _, _, each in routes(app) if each.resolve_before_request() is gate.account_only]
    return {f"{each.__module__.rpartition('.')[2]}.{each.__name__}" for each in found}


def test_every_action_of_a_page_has_a_twin(one_app: Litestar) -> None:
    assert pages(one_app) == TWINS.keys() | ALONE.keys()
    assert not TWINS.keys() & ALONE.keys()


def test_every_twin_is_there() -> None:
    known = {each.name for each in operations()}
    assert {name for names in TWINS.values() for name in names.split()} <= known


def test_a_change_is_the_twin_of_a_change(one_app: Litestar) -> None:
    """Who may post a form may send the same to a program's twin of it, and nobody with less."""
    by_name = {each.name: each for each in operations()}
    for method, path, handler in routes(one_app):
        name = f"{handler.fn.__module__.rpartition('.')[2]}.{handler.fn.__name__}"
        for twin in TWINS.get(name, "").split():
            least = gate.least_role(handler, method)
            assert by_name[twin].least_role.allows(least), (path, twin)
