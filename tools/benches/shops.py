"""Collections with purchases that the cases about taste share: the drawn shop and real ones."""

import subprocess

from harness import DATA, build


def run(command):
    """A command of ours: what it printed."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    # 3: done, but some rows were left out.
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def collection(binary, name, catalogue, pictures, purchases):
    """A collection of pictures' vectors with its purchases, made once."""
    place = DATA / "taste" / f"{name}.lookalike"
    place.parent.mkdir(parents=True, exist_ok=True)
    run([binary, "index", "-q", catalogue, "--images", pictures, "--text-model", "none", place])
    run([binary, "interactions", "-q", place, purchases, "--anew"])
    return place


def shop(binary, products, shoppers):
    """The drawn shop, whose shoppers look at everything: what is popular decides less, and taste more."""
    folder = DATA / "shops" / f"taste-{products}-{shoppers}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_suffix(".partial")
        run([build("draw-shop"), partial, "--products", products, "--shoppers", shoppers, "--shelf", products])
        partial.rename(folder)
    return collection(binary, folder.name, folder / "catalogue.csv", folder, folder / "purchases.csv")


def hm(binary, data):
    """The real purchases, where DATA has them."""
    real = data / "hm-2core"
    if (real / "interactions.csv").is_file():
        return collection(binary, "hm-2core", real / "items.csv", real, real / "interactions.csv")
    return None
