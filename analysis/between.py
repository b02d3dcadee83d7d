"""Effects of what the items are, such as their features or who made them.

Such an effect is told by as few numbers as there are items, however many people respond. The
mixed model's likelihood takes the spread between items for smaller than it is, by the share of
the effects fitted to them, and its t and F tests have as many degrees of freedom too many: with
8 features and 24 pairs, tests at 5 % would be wrong in 22 % of studies without any effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.estimate import Estimate
from analysis.factors import Codes, n_items
from analysis.mixed import MixedFit
from analysis.ranking import equality_test

LEAST_FREEDOM = 1


@dataclass(frozen=True)
class BetweenItems:
    """A fit whose fixed effects all lie between the items.

    Attributes
    ----------
    inflation : float
        Factor of variances: items over the items' degrees of freedom, and 1 after restricted
        maximum likelihood, which has it already.
    df : float
        Items less fixed effects, and no more than the fit has.
    """

    fit: MixedFit
    inflation: float
    df: float

    @classmethod
    def of(cls, fit: MixedFit, factors: Mapping[str, Codes]) -> "BetweenItems":
        """The fit with the items' degrees of freedom; as it is where no items are known."""
        items = n_items(factors)
        freedom = items - len(fit.coef)
        if freedom < LEAST_FREEDOM:
            return cls(fit, 1.0, fit.df)
        restricted = fit.link == "identity"
        return cls(fit, 1.0 if restricted else items / freedom, min(fit.df, freedom))

    @property
    def cov(self) -> np.ndarray:
        """Covariance of the fixed effects."""
        return np.asarray(self.fit.cov * self.inflation)

    def corrected(self, estimate: Estimate) -> Estimate:
        """An estimate from the fit with the items' degrees of freedom."""
        return replace(estimate, se=estimate.se * self.inflation**0.5, df=self.df)

    def effect(self, name: str) -> Estimate:
        """One fixed effect."""
        return self.corrected(self.fit.estimate(name))

    def joint_test(self, names: Sequence[str]) -> float | None:
        """p-value of the Wald test (F) that the named effects are all zero."""
        index = [self.fit.names.index(name) for name in names]
        effects = np.concatenate([[0.0], self.fit.coef[index]])
        cov = np.zeros((len(effects), len(effects)))
        cov[1:, 1:] = self.cov[np.ix_(index, index)]
        return equality_test(effects, cov, self.df)

    def equality(self) -> float | None:
        """p-value of the Wald test (F) that all fixed effects are the same."""
        return equality_test(self.fit.coef, self.cov, self.df)
