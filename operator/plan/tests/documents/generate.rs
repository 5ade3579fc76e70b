//! Documents of the shape of an ECS request, from the table of the model that `operator/api/tests/model` holds.

use std::path::Path;

use serde_json::{Map, Value, json};

/// A field of the model with its members.
pub(crate) struct Model {
    name: String,
    kind: String,
    is_required: bool,
    choices: Vec<String>,
    bounds: (i64, i64),
    members: Vec<Model>,
}

impl Model {
    /// The input of an operation.
    pub(crate) fn read(operation: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../api/tests/model/{operation}.tsv"));
        let table = std::fs::read_to_string(path).unwrap();
        let mut root = Self::of(operation, "structure", true);
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let mut field = Self::of("", columns[1], columns.get(2) == Some(&"yes"));
            field.choices = columns[3].split('|').filter(|choice| !choice.is_empty()).map(ToOwned::to_owned).collect();
            let bound =
                |column: usize, default| columns.get(column).and_then(|text| text.parse().ok()).unwrap_or(default);
            field.bounds = (bound(4, 0), bound(5, 2_000));
            root.add(&columns[0].replace("[]", ".[]"), field);
        }
        root
    }

    fn of(name: &str, kind: &str, is_required: bool) -> Self {
        let name = name.to_owned();
        Self { name, kind: kind.to_owned(), is_required, choices: Vec::new(), bounds: (0, 0), members: Vec::new() }
    }

    fn add(&mut self, path: &str, mut field: Self) {
        match path.split_once('.') {
            None => {
                path.clone_into(&mut field.name);
                self.members.push(field);
            }
            Some((first, rest)) => {
                self.members.iter_mut().find(|member| member.name == first).unwrap().add(rest, field);
            }
        }
    }
}

/// A source of documents; the same seed gives the same ones.
pub(crate) struct Generator {
    state: u64,
    /// One document in four is nonsense here and there; the others are what a user might write.
    is_wild: bool,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let mut generator = Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), is_wild: false };
        generator.is_wild = generator.one_in(4);
        generator
    }

    /// SplitMix64: a few lines, and good enough to mix choices.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let index = self.below(list.len() as u64);
        list[usize::try_from(index).unwrap()]
    }

    /// A task definition.
    pub(crate) fn document(&mut self, model: &Model) -> Value {
        let mut document = self.structure(model, 8);
        document["family"] = json!("web");
        let containers = 1 + self.below(4);
        let part = model.members.iter().find(|member| member.name == "containerDefinitions").unwrap();
        let containers: Vec<Value> = (0..containers)
            .map(|index| {
                let mut container = self.structure(&part.members[0], if self.is_wild { 9 } else { 20 });
                let name = ["a", "b", "My_App", "d-1"][usize::try_from(index).unwrap()];
                container["name"] = json!(if self.is_wild && self.one_in(9) { "a" } else { name });
                container["image"] = json!(self.pick(&["nginx", "example.com/app:1", "busybox@sha256:00", "a/b:c"]));
                if !self.is_wild || !self.one_in(9) {
                    container["memory"] = json!(64);
                    container.as_object_mut().unwrap().remove("memoryReservation");
                }
                container
            })
            .collect();
        document["containerDefinitions"] = Value::Array(containers);
        if !self.is_wild {
            self.tame(&mut document);
        }
        document
    }

    /// Makes a document that ECS would take of one that has the right shape only: references name what there is, and
    /// members that are refused in most combinations are left to the wild ones.
    fn tame(&mut self, document: &mut Value) {
        const REFUSED: [&str; 10] = [
            "cpu",
            "memory",
            "requiresCompatibilities",
            "proxyConfiguration",
            "inferenceAccelerators",
            "trustedExecutionConfiguration",
            "placementConstraints",
            "ephemeralStorage",
            "runtimePlatform",
            "pidMode",
        ];
        const REFUSED_IN_CONTAINERS: [&str; 7] = [
            "resourceRequirements",
            "disableNetworking",
            "credentialSpecs",
            "links",
            "volumesFrom",
            "systemControls",
            "user",
        ];
        let without = |value: &mut Value, names: &[&str]| {
            let members = value.as_object_mut().unwrap();
            members.retain(|name, _| !names.contains(&name.as_str()));
        };
        without(document, &REFUSED);
        document["volumes"] = json!([{"name": "a"}, {"name": "b", "host": {"sourcePath": "/srv/b"}}]);
        let containers = document["containerDefinitions"].as_array_mut().unwrap();
        for container in containers.iter_mut() {
            without(container, &REFUSED_IN_CONTAINERS);
            without(container, &["dependsOn", "essential"]);
            if let Some(check) = container.get_mut("healthCheck") {
                *check = json!({"command": ["CMD-SHELL", self.text("command")], "interval": 5 + self.below(295)});
            }
        }
        for dependent in 1..containers.len() {
            if self.one_in(2) {
                continue;
            }
            let index = usize::try_from(self.below(dependent as u64)).unwrap();
            let condition = self.pick(&["START", "HEALTHY", "COMPLETE", "SUCCESS"]);
            let dependency = json!([{"containerName": containers[index]["name"], "condition": condition}]);
            containers[dependent]["dependsOn"] = dependency;
            match condition {
                "HEALTHY" => containers[index]["healthCheck"] = json!({"command": ["CMD", "true"]}),
                "COMPLETE" | "SUCCESS" => containers[index]["essential"] = json!(false),
                _ => {}
            }
        }
    }

    /// A service of it that fits as far as one can tell from outside.
    pub(crate) fn service(&mut self, definition: &Value) -> Value {
        let mut service = json!({"taskDefinition": "web", "desiredCount": self.below(4)});
        if definition["networkMode"] == "awsvpc" {
            service["networkConfiguration"] = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        }
        let volumes = definition["volumes"].as_array().into_iter().flatten();
        let at_launch: Vec<Value> = volumes
            .filter(|volume| volume["configuredAtLaunch"] == true)
            .map(|volume| {
                let ebs = json!({"roleArn": "arn:aws:iam::111111111111:role/ebs", "sizeInGiB": 1 + self.below(20)});
                json!({"name": volume["name"], "managedEBSVolume": ebs})
            })
            .collect();
        if !at_launch.is_empty() {
            service["volumeConfigurations"] = Value::Array(at_launch);
        }
        service
    }

    /// One optional member in `rarity` is there.
    fn structure(&mut self, model: &Model, rarity: u64) -> Value {
        let mut members = Map::new();
        for member in &model.members {
            // What a user would not leave out of a small structure.
            let is_usual = !self.is_wild
                && ["name", "value", "valueFrom", "sourceVolume", "containerPath"].contains(&member.name.as_str());
            if member.is_required || is_usual || self.one_in(rarity) {
                members.insert(member.name.clone(), self.value(member));
            }
        }
        Value::Object(members)
    }

    fn value(&mut self, model: &Model) -> Value {
        if self.is_wild && self.one_in(60) {
            return self.nonsense();
        }
        match model.kind.as_str() {
            "structure" => self.structure(model, 2),
            "list" => {
                let length = if self.is_wild { self.below(4) } else { 1 + self.below(2) };
                (0..length).map(|_| self.value(&model.members[0])).collect()
            }
            "map" => json!({ "key": self.text("value"), self.pick(&["a", "app.kubernetes.io/name", "Ä", "-"]): "b" }),
            "boolean" => json!(self.one_in(2)),
            "integer" => {
                let (least, most) = model.bounds;
                let span = u64::try_from(most.saturating_sub(least)).unwrap_or(0).saturating_add(1);
                let number = least + i64::try_from(self.below(span)).unwrap();
                if self.is_wild && self.one_in(9) { json!(i64::from(i32::MAX) - number) } else { json!(number) }
            }
            _ if !model.choices.is_empty() => {
                let index = self.below(model.choices.len() as u64);
                json!(model.choices[usize::try_from(index).unwrap()])
            }
            _ => json!(self.text(&model.name)),
        }
    }

    /// A text that fits its member, mostly.
    fn text(&mut self, name: &str) -> String {
        if self.is_wild && self.one_in(12) {
            return self
                .pick(&["", " ", "$(A)", "\u{85}\u{2028}", "../..", "a=b", "-1", "\u{0}", "ünï", "%"])
                .to_owned();
        }
        let choices: &[&str] = match name {
            "name" | "sourceVolume" => &["a", "b"],
            "containerName" | "sourceContainer" => &["a", "b", "My_App"],
            "containerPath" | "rootDirectory" | "sourcePath" | "hostPath" | "workingDirectory" => {
                &["/data", "/srv/x", "/"]
            }
            "valueFrom" | "credentialsParameter" => &[
                "parameter",
                "arn:aws:ssm:eu-west-1:111111111111:parameter/a",
                "arn:aws:secretsmanager:eu-west-1:111111111111:secret:s-AbCdEf:key::",
                "arn:aws:secretsmanager:eu-west-1:111111111111:secret:s-AbCdEf:key",
            ],
            "value" => &["arn:aws:s3:::bucket/file.env", "ALL", "1", "some text $(A)"],
            "taskRoleArn" | "executionRoleArn" => &["arn:aws:iam::111111111111:role/app", "app"],
            "user" => &["1000", "1000:1000", "root", "nobody"],
            "fileSystemId" => &["fs-1", "fs-2"],
            "cpu" => &["256", "1 vCPU", ".25 vcpu"],
            "memory" => &["512", "1GB", "2 GB"],
            "containerPortRange" => &["7000-7009", "9-1"],
            "expression" => &["attribute:ecs.instance-type == t3.small", "attribute:stack =~ ["],
            "driver" => &["local", "rexray/ebs"],
            "ipAddress" => &["10.0.0.1", "::1", "x"],
            "hostname" => &["host", "host.example.com", "_"],
            "[]" => &["a", "CMD-SHELL", "ALL", "10.0.0.2", "no-new-privileges"],
            _ => &["a", "some-text", "1"],
        };
        self.pick(choices).to_owned()
    }

    /// What JSON allows and the model does not.
    fn nonsense(&mut self) -> Value {
        match self.below(7) {
            0 => Value::Null,
            1 => json!(-1),
            2 => json!(u64::MAX),
            3 => json!([]),
            4 => json!({}),
            5 => json!(""),
            _ => json!("x".repeat(300)),
        }
    }
}
