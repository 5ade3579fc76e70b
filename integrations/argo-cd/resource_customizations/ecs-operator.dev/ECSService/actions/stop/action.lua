if obj.spec.kubernetes == nil then
  obj.spec.kubernetes = {}
end
obj.spec.kubernetes.stopServiceDeployment = {
  serviceDeployment = obj.status.currentServiceDeployment,
  stopType = "ABORT",
}
return obj
