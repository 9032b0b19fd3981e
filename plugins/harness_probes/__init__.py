"""Probes: what a method did to the weights and the policy."""

from collections.abc import Iterator

from harness import ProbeSpec, hookimpl

_PAPER = "Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398"


@hookimpl
def harness_probes() -> Iterator[ProbeSpec]:
    for name, load, config, cite, summary in (
        (
            "neuron-overlap",
            "neuron_overlap:NeuronOverlap",
            "OverlapConfig",
            _PAPER,
            "Whether steps change the same neurons most, beside chance",
        ),
        (
            "gradient-cosine",
            "gradient_cosine:GradientCosine",
            "SampledConfig",
            "Modular Gradient Surgery, arXiv 2602.02301",
            "Cosines of the domains' policy gradients, whole and by module",
        ),
        (
            "active-routes",
            "active_routes:ActiveRoutes",
            "RoutesConfig",
            _PAPER,
            "Whether domains use the same MLP channels, beside chance",
        ),
        (
            "direction-agreement",
            "direction_agreement:DirectionAgreement",
            "RoutesConfig",
            _PAPER,
            "Whether two steps' updates agree on the routes that their domains share",
        ),
        (
            "predicted-damage",
            "second_order_damage:SecondOrderDamage",
            "DomainsConfig",
            _PAPER,
            "Second-order damage of each step to other domains, and how concentrated it is",
        ),
        (
            "policy-kl",
            "policy_kl:PolicyKL",
            "DomainsConfig",
            "RL's Razor, arXiv 2509.04259",
            "How far each step moved the policy on each domain's prompts",
        ),
    ):
        yield ProbeSpec(
            name=name,
            summary=summary,
            load=f"harness_probes.{load}",
            config=f"harness_probes.config:{config}",
            cite=cite,
        )
    yield ProbeSpec(
        name="edit-sparsity",
        summary="How many parameters each step of a method changed, and by how much",
        load="harness_probes.edit_sparsity:EditSparsity",
        cite=_PAPER,
    )
