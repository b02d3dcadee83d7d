"""Mixed models with crossed random effects of participants and items.

Binary responses by the Laplace approximation, ratings by restricted maximum likelihood. What
lme4 and glmmTMB are in R, for the designs of this survey, and fast for hundreds of thousands of
rows.
"""

from analysis.mixed.glmm import fit_glmm
from analysis.mixed.lmm import PerfectFit, fit_lmm
from analysis.mixed.marginal import marginal_probability
from analysis.mixed.result import MixedFit

__all__ = ["MixedFit", "PerfectFit", "fit_glmm", "fit_lmm", "marginal_probability"]
