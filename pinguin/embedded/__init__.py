"""The stack for a machine without Docker: TimescaleDB and Valkey as child processes, all data in one folder."""
