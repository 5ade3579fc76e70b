//! Devices that a container needs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::RESOURCE_RULES;
use crate::schema::validations;

/// Type of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ResourceType {
    /// NVIDIA GPUs.
    #[serde(rename = "GPU")]
    Gpu,
    /// Elastic Inference accelerators (discontinued).
    InferenceAccelerator,
    /// AWS Neuron devices.
    NeuronDevice,
}

/// A device that a container needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RESOURCE_RULES)))]
pub struct ResourceRequirement {
    /// Amount: for GPU a count or `ALL`, for NeuronDevice `ALL`, for InferenceAccelerator a device name. Becomes a
    /// device plugin resource such as `nvidia.com/gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub value: Option<String>,
    /// Type of the device.
    #[serde(rename = "type")]
    pub type_: ResourceType,
    /// Share of a GPU instead of whole GPUs; mutually exclusive with `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing_strategy: Option<SharingStrategy>,
}

/// How to share a GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharingStrategy {
    /// Sharing through NVIDIA's Multi-Process Service (MPS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvidia_mps: Option<NvidiaMpsAllocation>,
}

/// Share of a GPU under NVIDIA's Multi-Process Service (MPS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NvidiaMpsAllocation {
    /// GPU memory in MiB, at least 1.
    #[schemars(range(min = 1))]
    pub memory: i32,
    /// Largest share of the compute units in percent, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_compute_percent: Option<i32>,
}
