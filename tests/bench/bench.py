"""This server, Python Keystone 30.0.0 under uWSGI and a ceiling, one after the other on the same machine, database,
configuration, tokens and password hashes. Progress goes to the standard error, the table to the standard output."""

import argparse

import contestants
import report
import seed
from clouds import Cloud, MariaDb
from contest import Contest, say
from figures import FIGURES

from harness import processes


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("--size", choices=seed.SIZES, default="M", help="of the cloud (default: M)")
    parser.add_argument("--catalog", choices=("small", "real"), default="real", help="3 endpoints or 270 (default: real)")
    parser.add_argument("--only", choices=FIGURES, nargs="+", metavar="FIGURE", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--seconds", type=int, default=5, help="of each load (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="in which the servers take turns (default: 3)")
    parser.add_argument("--without-triggers", action="store_true", help="is passed to `db_sync`")
    parser.add_argument("--quick", action="store_true", help="size S, one round of 1 s: only tests the script")
    options = parser.parse_args()
    if options.quick:
        options.size, options.seconds, options.rounds = "S", 1, 1
    options.warm_up, options.starts = (1, 1) if options.quick else (2, 5)
    # `directory` needs packages that the others do not.
    left_out = {"directory"} if options.size == "L" else {"directory", "sizes"}
    options.chosen = options.only or [name for name in FIGURES if name not in left_out]
    if options.size == "L" and not options.only:
        # A million of them is not what the figure is about.
        options.chosen.remove("assignments")
    return options


def contest_of(options, directory):
    mariadb, memcached = MariaDb(directory), contestants.Memcached(directory)
    sync_options = ("--without-triggers",) if options.without_triggers else ()

    def cloud(size):
        say(f"seeding size {size}")
        return Cloud(directory, mariadb, memcached, size, options.catalog, sync_options)

    contest = Contest(options, directory, cloud(options.size), memcached)
    if "sizes" in options.chosen:
        contest.small = Contest(options, directory, cloud("S"), memcached)
    return contest


def introduction(options, mariadb):
    size = seed.SIZES[options.size]
    return (
        f"{contestants.machine(mariadb)}. {size.users:,} users, {size.projects:,} projects, {size.grants:,} grants, "
        f"{270 if options.catalog == 'real' else 3} endpoints{', no triggers' if options.without_triggers else ''}; "
        f"medians of {options.rounds} × {options.seconds} s:"
    )


def main():
    options = arguments()
    contest = contest_of(options, processes.scratch("bench"))
    if "start" not in options.chosen:
        contest.serve()
    if "sizes" in options.chosen:
        contestants.seconds_to_ready(contest.small.ours, contest.small.cloud)
    rows = []
    for name in options.chosen:
        say(f"  {name}")
        found = FIGURES[name](contest)
        rows += found
        for row in found:
            say(f"    {row}")
    print(f"{introduction(options, contest.cloud.mariadb)}\n")
    print(report.table(rows))


main()
