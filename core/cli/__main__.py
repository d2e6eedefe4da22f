"""`python -m core.cli`, as `meaning-space`."""

import sys

from core.cli import main

sys.exit(main())
