"""From images on the sky to counts: exposure, PSF and energy dispersion, and the way back."""
