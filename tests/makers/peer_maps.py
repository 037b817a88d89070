"""What Gammapy makes of observations, for comparison. Run by a Python that has it: see `MAPS` for the arguments."""

MAPS = """
import json, sys
import numpy as np
from gammapy.data import DataStore, Observation
from gammapy.datasets import MapDataset
from gammapy.makers import MapDatasetMaker, PhaseBackgroundMaker
from gammapy.maps import MapAxis, WcsGeom
from pathlib import Path
store, out, spec = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
energy = MapAxis.from_edges(np.array(spec["energy"]), unit="TeV", name="energy", interp="log")
true = MapAxis.from_edges(np.array(spec["energy_true"]), unit="TeV", name="energy_true", interp="log")
geom = WcsGeom.create(skydir=tuple(spec["center"]), binsz=spec["binsz"], npix=tuple(spec["npix"]), axes=[energy],
    frame=spec.get("frame", "icrs"), proj=spec.get("proj", "TAN"))
migra = MapAxis.from_edges(np.array(spec["migra"]), name="migra") if "migra" in spec else None
empty = MapDataset.create(geom, energy_axis_true=true, name="x", migra_axis=migra)
observation = DataStore.from_dir(store).obs if store.is_dir() else lambda *_: Observation.read(store)
for obs_id in spec["ids"]:
    made = MapDatasetMaker(**spec.get("maker", {})).run(empty, observation(obs_id, "all-optional"))
    if "phases" in spec:
        made = PhaseBackgroundMaker(*[[tuple(part)] for part in spec["phases"]]).run(made, observation(obs_id))
    made.write(out / f"{obs_id}.fits", overwrite=True)
print(json.dumps("written"))
"""
