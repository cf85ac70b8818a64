"""`python -m tools.deploy COMMAND`: what `make images`, `make deploy`, `make undeploy` and `make cluster` do.

Exit status: 0; 2 for what a person can put right, with a message on stderr. Must not know how any of it is done.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from tools.deploy import images, nodes, release
from tools.deploy.programs import DeployError, ask, need
from tools.deploy.release import Installation
from tools.parser import Parser
from tools.plain_text import print_what_can_be_shown

KIND_TIMEOUT_S = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status."""
    print_what_can_be_shown()
    args = _parser().parse_args(arguments)
    try:
        if args.command == "cluster":
            _cluster()
        elif args.command == "images":
            _images(args)
        else:
            return _change(args, Installation(args.release, args.namespace, release.reachable_context(args.context)))
    except DeployError as error:
        print(f"{args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{args.command}: interrupted", file=sys.stderr)
        return 130
    return 0


def _change(args: argparse.Namespace, where: Installation) -> int:
    """Raises DeployError."""
    try:
        if args.command == "undeploy":
            where.remove(_notify, with_results=args.with_results)
        else:
            _deploy(args, where)
    except KeyboardInterrupt:
        print(f"{args.command}: interrupted; to remove what was installed: {where.make('undeploy')}", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m tools.deploy",
        description="Builds the images and installs the chart in a cluster that kubectl knows.",
    )
    parser.add_argument("command", choices=("images", "deploy", "undeploy", "cluster"))
    parser.add_argument("--release", default="sweetspot", metavar="NAME", help="release of the chart (sweetspot)")
    parser.add_argument("--namespace", default="sweetspot", metavar="NAME", help="namespace of the release (sweetspot)")
    parser.add_argument(
        "--context", default="", metavar="NAME", help="kubectl context of the cluster (the current one)"
    )
    parser.add_argument(
        "--with-results", action="store_true", help="`undeploy` also deletes the results stored in the cluster"
    )
    parser.add_argument(
        "--registry", default="", metavar="HOST/FOLDER", help="registry to push images to and pull them from"
    )
    parser.add_argument(
        "--tag",
        metavar="TAG",
        help="tag of the images (hash of content); `deploy` with a tag builds nothing and uses the images that have it",
    )
    parser.add_argument(
        "--load", action="store_true", help="`images` also loads the images into the nodes, as `deploy` does"
    )
    parser.add_argument("--models", type=_names, metavar="A,B", help="build or deploy only these models")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a value of the chart")
    parser.add_argument("--values", action="append", default=[], metavar="FILE", help="file with values of the chart")
    parser.add_argument(
        "--timeout", type=float, default=180.0, metavar="S", help="seconds to wait until all pods are ready (180)"
    )
    return parser


def _names(text: str) -> list[str]:
    return [name.strip().replace("-", "_") for name in text.split(",")]


def _models(asked: list[str] | None) -> list[str]:
    known = images.models()
    unknown = [model for model in asked or () if model not in known]
    if unknown:
        raise DeployError(f"unknown model {unknown[0]!r}; the models are {', '.join(known)}")
    return asked or list(known)


def _images(args: argparse.Namespace) -> None:
    tag, context = args.tag or images.content_tag(), ""
    if args.load:
        context = release.reachable_context(args.context)
        nodes.check(context, args.registry, bool(os.environ.get("IMAGE_BUILD")), "make images")
    wanted = images.BuildRequest(models=_models(args.models), registry=args.registry, tag=tag, by_content=not args.tag)
    builder, built = images.build(wanted, _notify)
    if builder is not None:
        nodes.deliver(builder, built, context, args.registry, _notify)


def _deploy(args: argparse.Namespace, where: Installation) -> None:
    _notify(f"checking the cluster of context {where.context} and the values of the chart")
    models, context = _models(args.models), where.context
    release.check_permission(where)
    tag = args.tag or images.content_tag()
    pairs = [f"image.tag={tag}", f"image.registry={args.registry}"]
    pairs += [f"models.{model}.enabled=false" for model in images.models() if model not in models]
    settings = [word for file in args.values for word in ("--values", file)]
    settings += [word for pair in pairs + args.set for word in ("--set", pair)]
    chart = where.check_values(settings)
    if lacking := where.lacking_room(chart):
        _notify(lacking)
    if not args.tag:
        nodes.check(context, args.registry, bool(os.environ.get("IMAGE_BUILD")), where.make("deploy"))
        there = () if args.registry else nodes.have(where.nodes())
        wanted = images.BuildRequest(models=models, registry=args.registry, tag=tag, by_content=True, delivered=there)
        builder, built = images.build(wanted, _notify)
        if builder is not None:
            nodes.deliver(builder, built, context, args.registry, _notify)
    where.install(settings, args.timeout, _notify)
    _notify(f"release {where.name} is ready in namespace {where.namespace} of {context}; next:")
    _notify(where.notes())


def _cluster() -> None:
    need("kind", "next: https://kind.sigs.k8s.io/docs/user/quick-start")
    ask("kind", "create", "cluster", "--config", str(images.ROOT / "k8s" / "kind.yaml"), timeout_s=KIND_TIMEOUT_S)
    _notify("cluster kind-sweetspot is the current context; next: make deploy")


def _notify(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
