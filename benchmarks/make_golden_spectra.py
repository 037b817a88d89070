"""Golden numbers of spectral models by Gammapy 2.1: tests/models/golden_spectra.json.

Run once in an environment with Gammapy 2.1: ``python benchmarks/make_golden_spectra.py``.
"""

import json
import warnings
from pathlib import Path

import astropy.units as u
import gammapy
import numpy as np
from gammapy.modeling.models import SPECTRAL_MODEL_REGISTRY

FLUX = "TeV-1 s-1 cm-2"
TARGET = Path(__file__).resolve().parent.parent / "tests" / "models" / "golden_spectra.json"


def block(kind, unit=FLUX, **parameters):
    units = {"amplitude": unit, "const": unit, "lambda_": "TeV-1"}
    units |= dict.fromkeys(("reference", "emin", "emax", "ebreak", "ecut", "escale", "mean", "sigma"), "TeV")
    rows = []
    for name, value in parameters.items():
        row = {"name": name, "value": value}
        if name in units:
            row["unit"] = units[name]
        rows.append(row)
    return {"type": kind, "parameters": rows}


NODES = {"energy": {"data": [0.05, 0.6, 4.0, 60.0], "unit": "TeV"}}
PL = block("PowerLawSpectralModel", index=2.3, amplitude=3e-12, reference=0.7)
PL_NORM = block("PowerLawNormSpectralModel", tilt=-0.3, norm=1.4, reference=2.0)

CASES = {
    "const": block("ConstantSpectralModel", const=2.5e-12),
    "pl": PL,
    "pl-index-1": block("PowerLawSpectralModel", index=1.0, amplitude=3e-12, reference=0.7),
    "pl-2": block("PowerLaw2SpectralModel", "s-1 cm-2", amplitude=4e-11, index=2.4, emin=0.3, emax=30.0),
    "bpl": block("BrokenPowerLawSpectralModel", index1=1.6, index2=2.9, amplitude=3e-12, ebreak=1.3),
    "sbpl": block(
        "SmoothBrokenPowerLawSpectralModel",
        index1=1.6,
        index2=2.9,
        amplitude=3e-12,
        ebreak=1.3,
        reference=0.7,
        beta=0.6,
    ),
    "sbpl-harder": block(
        "SmoothBrokenPowerLawSpectralModel",
        index1=2.9,
        index2=1.6,
        amplitude=3e-12,
        ebreak=1.3,
        reference=0.7,
        beta=0.6,
    ),
    "ecpl": block("ExpCutoffPowerLawSpectralModel", index=1.8, amplitude=3e-12, reference=0.7, lambda_=0.08, alpha=1.2),
    "ecpl-3fgl": block("ExpCutoffPowerLaw3FGLSpectralModel", index=1.8, amplitude=3e-12, reference=0.7, ecut=12.0),
    "secpl-3fgl": block(
        "SuperExpCutoffPowerLaw3FGLSpectralModel", amplitude=3e-12, reference=0.7, ecut=12.0, index_1=1.7, index_2=0.8
    ),
    "secpl-4fgl": block(
        "SuperExpCutoffPowerLaw4FGLSpectralModel",
        amplitude=3e-12,
        reference=0.7,
        expfactor=2e-5,
        index_1=1.7,
        index_2=0.7,
    ),
    "secpl-4fgl-dr3": block(
        "SuperExpCutoffPowerLaw4FGLDR3SpectralModel",
        amplitude=3e-12,
        reference=0.7,
        expfactor=0.4,
        index_1=1.9,
        index_2=0.5,
    ),
    "lp": block("LogParabolaSpectralModel", amplitude=3e-11, reference=1.0, alpha=2.3, beta=0.15),
    "lp2": block("LogParabola2SpectralModel", amplitude=3e-11, reference=1.0, alpha=2.3, beta=0.15, escale=0.4),
    "gauss": block("GaussianSpectralModel", "s-1 cm-2", amplitude=4e-12, mean=1.5, sigma=0.9),
    "template": {
        "type": "TemplateSpectralModel",
        "parameters": [],
        **NODES,
        "values": {"data": [3e-9, 2e-11, 4e-13, 5e-16], "unit": "1 / (TeV s cm2)"},
    },
    "compound-add": {
        "type": "CompoundSpectralModel",
        "model1": PL,
        "operator": "add",
        "model2": block("LogParabolaSpectralModel", amplitude=1e-12, reference=1.0, alpha=1.9, beta=0.3),
    },
    "compound-sub": {
        "type": "CompoundSpectralModel",
        "model1": PL,
        "operator": "sub",
        "model2": block("PowerLawSpectralModel", index=2.6, amplitude=1e-12, reference=0.7),
    },
    "compound-mul": {"type": "CompoundSpectralModel", "model1": PL, "model2": PL_NORM, "operator": "mul"},
    "pl-norm": PL_NORM,
    "lp-norm": block("LogParabolaNormSpectralModel", norm=1.4, reference=2.0, alpha=0.2, beta=0.1),
    "ecpl-norm": block(
        "ExpCutoffPowerLawNormSpectralModel", index=0.3, norm=1.4, reference=2.0, lambda_=0.05, alpha=0.9
    ),
    "piecewise-norm": block("PiecewiseNormSpectralModel", norm_0=0.7, norm_1=1.3, norm_2=0.9, norm_3=1.6)
    | NODES
    | {"interp": "log"},
    "piecewise-norm-lin": block("PiecewiseNormSpectralModel", norm_0=0.7, norm_1=1.3, norm_2=0.9, norm_3=1.6)
    | NODES
    | {"interp": "lin"},
}


def main():
    warnings.simplefilter("ignore")
    energy = np.array([0.02, 0.1, 0.7, 1.0, 3.3, 25.0, 90.0])
    edges = np.geomspace(0.1, 50.0, 23)
    golden = {
        "source": f"Gammapy {gammapy.__version__}",
        "energy": energy.tolist(),
        "edges": edges.tolist(),
        "cases": {},
    }
    for name, data in CASES.items():
        model = SPECTRAL_MODEL_REGISTRY.get_cls(data["type"]).from_dict({"spectral": data})
        e, lo, hi = energy * u.TeV, edges[:-1] * u.TeV, edges[1:] * u.TeV
        f, integral, energy_integral = model(e), model.integral(lo, hi), model.energy_flux(lo, hi)
        is_flux = not f.unit.is_equivalent("")
        golden["cases"][name] = {
            "model": data,
            "evaluate": f.to_value(u.Unit(FLUX) if is_flux else "").tolist(),
            "integral": integral.to_value(u.Unit(FLUX) * u.TeV if is_flux else u.TeV).tolist(),
            "energy_integral": energy_integral.to_value(u.Unit(FLUX) * u.TeV**2 if is_flux else u.TeV**2).tolist(),
        }
    TARGET.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
