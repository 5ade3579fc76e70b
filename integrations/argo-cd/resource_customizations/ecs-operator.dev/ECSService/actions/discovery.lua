-- restart starts a deployment of what the service runs. rollback and stop end the deployment that is in progress.
local deployment = nil
if obj.status ~= nil and obj.status.deployments ~= nil then
  deployment = obj.status.deployments[1]
end
local is_idle = deployment == nil or deployment.rolloutState ~= "IN_PROGRESS"
  or obj.status.currentServiceDeployment == nil
return {
  restart = { displayName = "Force a new deployment" },
  rollback = { disabled = is_idle, displayName = "Stop the deployment and roll back" },
  stop = { disabled = is_idle, displayName = "Stop the deployment where it is" },
}
