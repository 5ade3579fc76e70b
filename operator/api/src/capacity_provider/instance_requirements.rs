//! Which instance types managed instances may be: the attribute ranges of EC2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Rules that one [`InstanceRequirementsRequest`] must meet by itself.
pub const INSTANCE_REQUIREMENTS_REQUEST_RULES: &[Rule] = &[
    Rule {
        path: ".excludedInstanceTypes",
        message: "InvalidParameterException: allowedInstanceTypes and excludedInstanceTypes cannot both be specified",
        cel: "!(has(self.allowedInstanceTypes) && self.allowedInstanceTypes.size() > 0 && \
              has(self.excludedInstanceTypes) && self.excludedInstanceTypes.size() > 0)",
    },
    Rule {
        path: ".maxSpotPriceAsPercentageOfOptimalOnDemandPrice",
        message: "InvalidParameterException: maxSpotPriceAsPercentageOfOptimalOnDemandPrice and \
                  spotMaxPricePercentageOverLowestPrice cannot both be specified",
        cel: "!has(self.maxSpotPriceAsPercentageOfOptimalOnDemandPrice) || \
              !has(self.spotMaxPricePercentageOverLowestPrice)",
    },
];

/// Rules of every range of numbers here.
pub const RANGE_RULES: &[Rule] = &[Rule {
    path: ".max",
    message: "InvalidParameterException: min must not be greater than max",
    cel: "!has(self.min) || !has(self.max) || self.min <= self.max",
}];

/// Rules of the ranges whose `min` is required.
pub const RANGE_WITH_MIN_RULES: &[Rule] = &[Rule {
    path: ".max",
    message: "InvalidParameterException: min must not be greater than max",
    cel: "!has(self.max) || self.min <= self.max",
}];

/// Instance types that may be launched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(INSTANCE_REQUIREMENTS_REQUEST_RULES)))]
pub struct InstanceRequirementsRequest {
    /// Number of vCPUs.
    pub v_cpu_count: VCpuCountRangeRequest,
    /// Memory in MiB.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: MemoryMiBRequest,
    /// Manufacturers of the CPU. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub cpu_manufacturers: Option<Vec<CpuManufacturer>>,
    /// Memory in GiB per vCPU.
    #[serde(rename = "memoryGiBPerVCpu", default, skip_serializing_if = "Option::is_none")]
    pub memory_gib_per_v_cpu: Option<MemoryGiBPerVCpuRequest>,
    /// Instance types to exclude, with `*` as wildcard; at most 400. Mutually exclusive with `allowedInstanceTypes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400), inner(length(min = 1, max = 30), regex(pattern = r"^[a-zA-Z0-9\.\*\-]+$")))]
    pub excluded_instance_types: Option<Vec<String>>,
    /// Generations of instance types. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub instance_generations: Option<Vec<InstanceGeneration>>,
    /// Price limit of Spot instances, as a percentage above the cheapest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub spot_max_price_percentage_over_lowest_price: Option<i32>,
    /// Price limit of on-demand instances, as a percentage above the cheapest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub on_demand_max_price_percentage_over_lowest_price: Option<i32>,
    /// Whether bare metal instances are included, excluded or required. Defaults to `excluded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare_metal: Option<BareMetal>,
    /// Whether burstable instances are included, excluded or required. Defaults to `excluded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burstable_performance: Option<BurstablePerformance>,
    /// Whether instances must support hibernation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_hibernate_support: Option<bool>,
    /// Number of network interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_count: Option<NetworkInterfaceCountRequest>,
    /// Whether instances with instance store are included, excluded or required. Defaults to `included`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_storage: Option<LocalStorage>,
    /// Types of instance store. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub local_storage_types: Option<Vec<LocalStorageType>>,
    /// Instance store in GB.
    #[serde(rename = "totalLocalStorageGB", default, skip_serializing_if = "Option::is_none")]
    pub total_local_storage_gb: Option<TotalLocalStorageGBRequest>,
    /// Baseline bandwidth to EBS in Mbps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_ebs_bandwidth_mbps: Option<BaselineEbsBandwidthMbpsRequest>,
    /// Types of accelerators. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub accelerator_types: Option<Vec<AcceleratorType>>,
    /// Number of accelerators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator_count: Option<AcceleratorCountRequest>,
    /// Manufacturers of the accelerators. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub accelerator_manufacturers: Option<Vec<AcceleratorManufacturer>>,
    /// Models of the accelerators. Defaults to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub accelerator_names: Option<Vec<AcceleratorName>>,
    /// Total memory of the accelerators in MiB.
    #[serde(rename = "acceleratorTotalMemoryMiB", default, skip_serializing_if = "Option::is_none")]
    pub accelerator_total_memory_mib: Option<AcceleratorTotalMemoryMiBRequest>,
    /// Network bandwidth in Gbps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_bandwidth_gbps: Option<NetworkBandwidthGbpsRequest>,
    /// Instance types that may be launched, with `*` as wildcard; at most 400. Mutually exclusive with
    /// `excludedInstanceTypes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400), inner(length(min = 1, max = 30), regex(pattern = r"^[a-zA-Z0-9\.\*\-]+$")))]
    pub allowed_instance_types: Option<Vec<String>>,
    /// Price limit of Spot instances, as a percentage of the optimal on-demand price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_spot_price_as_percentage_of_optimal_on_demand_price: Option<i32>,
}

/// Number of vCPUs, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_WITH_MIN_RULES)))]
pub struct VCpuCountRangeRequest {
    /// Minimum.
    #[schemars(range(min = 0))]
    pub min: i32,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<i32>,
}

/// Memory in MiB, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_WITH_MIN_RULES)))]
pub struct MemoryMiBRequest {
    /// Minimum.
    #[schemars(range(min = 0))]
    pub min: i32,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<i32>,
}

/// Memory in GiB per vCPU, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct MemoryGiBPerVCpuRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<f64>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<f64>,
}

/// Number of network interfaces, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct NetworkInterfaceCountRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<i32>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<i32>,
}

/// Instance store in GB, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct TotalLocalStorageGBRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<f64>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<f64>,
}

/// Baseline bandwidth to EBS in Mbps, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct BaselineEbsBandwidthMbpsRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<i32>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<i32>,
}

/// Number of accelerators, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct AcceleratorCountRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<i32>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<i32>,
}

/// Total memory of the accelerators in MiB, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct AcceleratorTotalMemoryMiBRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<i32>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<i32>,
}

/// Network bandwidth in Gbps, bounds included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(RANGE_RULES)))]
pub struct NetworkBandwidthGbpsRequest {
    /// Minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min: Option<f64>,
    /// Maximum. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max: Option<f64>,
}

/// Manufacturer of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CpuManufacturer {
    /// Intel.
    Intel,
    /// AMD.
    Amd,
    /// AWS.
    AmazonWebServices,
}

/// Generation of an instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstanceGeneration {
    /// Current.
    Current,
    /// Previous.
    Previous,
}

/// Bare metal instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BareMetal {
    /// Included.
    Included,
    /// Required.
    Required,
    /// Excluded.
    Excluded,
}

/// Burstable instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BurstablePerformance {
    /// Included.
    Included,
    /// Required.
    Required,
    /// Excluded.
    Excluded,
}

/// Instances with instance store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LocalStorage {
    /// Included.
    Included,
    /// Required.
    Required,
    /// Excluded.
    Excluded,
}

/// Type of instance store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LocalStorageType {
    /// Hard disks.
    Hdd,
    /// Solid state disks.
    Ssd,
}

/// Type of accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AcceleratorType {
    /// GPU.
    Gpu,
    /// FPGA.
    Fpga,
    /// Inference chip.
    Inference,
}

/// Manufacturer of an accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AcceleratorManufacturer {
    /// AWS.
    AmazonWebServices,
    /// AMD.
    Amd,
    /// NVIDIA.
    Nvidia,
    /// Xilinx.
    Xilinx,
    /// Habana.
    Habana,
}

/// Model of an accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AcceleratorName {
    /// NVIDIA A100.
    A100,
    /// AWS Inferentia.
    Inferentia,
    /// NVIDIA K520.
    K520,
    /// NVIDIA K80.
    K80,
    /// NVIDIA M60.
    M60,
    /// AMD Radeon Pro V520.
    #[serde(rename = "radeon-pro-v520")]
    RadeonProV520,
    /// NVIDIA T4.
    T4,
    /// Xilinx VU9P.
    Vu9p,
    /// NVIDIA V100.
    V100,
    /// NVIDIA A10G.
    A10g,
    /// NVIDIA H100.
    H100,
    /// NVIDIA T4G.
    T4g,
    /// NVIDIA L40S.
    L40s,
    /// NVIDIA L4.
    L4,
}
