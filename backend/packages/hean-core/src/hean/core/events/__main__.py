"""`python -m hean.core.events > events.schema.json` writes the schema of all events."""

import sys

from hean.core.events.union import schema_text

if __name__ == "__main__":
    sys.stdout.write(schema_text())
