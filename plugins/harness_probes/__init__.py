"""Probes measure what a method did to the weights and the policy; metrics summarize its scores beyond the average."""

from collections.abc import Iterator

from harness import ProbeSpec, hookimpl
from harness_probes.metrics import learning_accuracy, untrained_forgetting, worst_domain

__all__ = [  # the registry finds decorated functions here
    "harness_probes",
    "learning_accuracy",
    "untrained_forgetting",
    "worst_domain",
]

_PAPER = "Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398"
_STEP = ("step", "label")
_TWO_STEPS = (*_STEP, "other_step", "other_label")
_PLACE = ("at_step", "at_label")


@hookimpl
def harness_probes() -> Iterator[ProbeSpec]:
    for name, load, config, keys, cite, summary in (
        (
            "neuron-overlap",
            "neuron_overlap:NeuronOverlap",
            "OverlapConfig",
            _TWO_STEPS,
            _PAPER,
            "Whether steps change the same neurons most, compared with chance",
        ),
        (
            "gradient-cosine",
            "gradient_cosine:GradientCosine",
            "SampledConfig",
            (*_PLACE, "domain", "other_domain", "module"),
            "Modular Gradient Surgery, arXiv 2602.02301",
            "Cosines of the domains' policy gradients, over all weights and by module",
        ),
        (
            "active-routes",
            "active_routes:ActiveRoutes",
            "RoutesConfig",
            (*_PLACE, "domain", "other_domain", "measure"),
            _PAPER,
            "Whether domains use the same MLP channels, compared with chance",
        ),
        (
            "direction-agreement",
            "direction_agreement:DirectionAgreement",
            "RoutesConfig",
            (*_TWO_STEPS, "coordinates_of"),
            _PAPER,
            "Whether two steps' weight deltas agree on the routes that their domains share",
        ),
        (
            "predicted-damage",
            "second_order_damage:SecondOrderDamage",
            "DomainsConfig",
            (*_STEP, "harmed_domain"),
            _PAPER,
            "Predicted second-order damage of each step to other domains, and its concentration",
        ),
        (
            "policy-kl",
            "policy_kl:PolicyKL",
            "DomainsConfig",
            (*_STEP, "domain", "trained"),
            "RL's Razor, arXiv 2509.04259",
            "How far each step moved the policy on each domain's prompts",
        ),
    ):
        yield ProbeSpec(
            name=name,
            summary=summary,
            load=f"harness_probes.{load}",
            config=f"harness_probes.config:{config}",
            keys=keys,
            cite=cite,
        )
    yield ProbeSpec(
        name="edit-sparsity",
        summary="How many parameters each step of a method changed, and by how much",
        load="harness_probes.edit_sparsity:EditSparsity",
        keys=_STEP,
        cite=_PAPER,
    )
