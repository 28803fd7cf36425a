#!/usr/bin/env python3
"""The one entry point of the repository: python build.py setup | demo | test | bench | package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("build.py needs Python 3.11 or newer.")

from building import bench, checks, demonstration, environments, extension
from building.shell import BuildError


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="make the environments: the engine's and Blender's")
    demo = commands.add_parser("demo", help="footage to an animated avatar rendered in Blender")
    demo.add_argument("--video", type=Path, help="footage of one head (default: a made sample)")
    demo.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results")
    test = commands.add_parser("test", help="lint, types and every test that can run here")
    test.add_argument("stages", nargs="*", help=f"only these of: {', '.join(checks.STAGES)}")
    measure = commands.add_parser("bench", help="measure and write docs/benchmarks.md")
    measure.add_argument("sections", nargs="*", help=f"only these of: {', '.join(bench.names())}")
    measure.add_argument("--quick", action="store_true", help="a short pass, into out/bench")
    commands.add_parser("package", help="write the extension's zip into dist/")
    return parser.parse_args()


def main() -> int:
    """Run one command. Returns the exit status."""
    arguments = parse_arguments()
    try:
        if arguments.command == "setup":
            environments.set_up()
        elif arguments.command == "demo":
            demonstration.make(arguments.video, arguments.out)
        elif arguments.command == "test":
            return checks.run_all(arguments.stages)
        elif arguments.command == "bench":
            bench.write(arguments.sections, arguments.quick)
        else:
            extension.package()
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the next run goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
